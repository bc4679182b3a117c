//! Links from the page to documents.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use classify_ureq::classify_client::name_path;
use url::Url;

/// Extensions of files whose scripts a browser would run, or that send it to another place. Browsers decide by the
/// extension of a local file, and not by its content.
const ACTIVE_EXTENSIONS: [&str; 15] = [
    "htm", "html", "lnk", "mht", "mhtml", "rdf", "shtm", "shtml", "svg", "svgz", "url", "xht",
    "xhtml", "xml", "xsl",
];

/// Returns the URLs of documents, as links of one page.
#[derive(Debug)]
pub(super) struct Links {
    /// The URL of the page's folder, with a slash at its end. `None` if the page has several paths.
    page_folder: Option<String>,
    /// Folders without links in their paths, by their paths in the rows.
    folders: HashMap<PathBuf, Option<PathBuf>>,
}

impl Links {
    /// Returns the links of the page at a path; the file need not exist.
    pub(super) fn new(page: &Path) -> Self {
        // A browser may open the page by the path of the symbolic link or by that of the file.
        let is_link = fs::symlink_metadata(page).is_ok_and(|metadata| metadata.is_symlink());
        let page_folder = (!is_link)
            .then(|| resolve(parent(page)?))
            .flatten()
            .and_then(|folder| Url::from_directory_path(folder).ok())
            .map(String::from);
        Self {
            page_folder,
            folders: HashMap::new(),
        }
    }

    /// Returns the URL of a document by its name in the rows. A document in the folder of the page or below has a
    /// relative URL, so that the folder can be moved as a whole; others have a `file:` URL.
    ///
    /// `None` if there is no such file, if the name is a URL, or if a browser could run scripts of the document.
    pub(super) fn url(&mut self, name: &str) -> Option<String> {
        if name.contains("://") {
            return None;
        }
        let path = name_path(name);
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let is_active = ACTIVE_EXTENSIONS
            .iter()
            .any(|active| extension.eq_ignore_ascii_case(active));
        if is_active || !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            return None;
        }
        let folder = parent(&path)?;
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.to_owned(), resolve(folder));
        }
        let folder = self.folders.get(folder)?.as_ref()?;
        let url = Url::from_file_path(folder.join(path.file_name()?)).ok()?;
        // In a `file:` URL, a browser takes `C|` at the beginning of a path for a drive.
        let url = url.as_str().replace('|', "%7C");
        let relative = self
            .page_folder
            .as_ref()
            .and_then(|folder| url.strip_prefix(folder.as_str()))
            // Without the dot, `a:b` would be a scheme.
            .map(|relative| format!("./{relative}"));
        Some(relative.unwrap_or(url))
    }
}

/// Returns the folder of a path; that of a file name is `.`.
fn parent(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    })
}

/// Returns a folder's absolute path without links and `..`: a browser would remove `..` together with the name of a
/// link.
fn resolve(folder: &Path) -> Option<PathBuf> {
    fs::canonicalize(folder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use classify_ureq::classify_client::path_name;

    /// A folder with an empty file at each path.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    /// The links of a page to files, by their paths below a folder.
    fn urls(folder: &Path, page: &str, files: &[&str]) -> Vec<Option<String>> {
        let mut links = Links::new(&folder.join(page));
        let name = |file| path_name(&folder.join(file));
        files.iter().map(|file| links.url(&name(file))).collect()
    }

    #[test]
    fn report_link_is_relative_below_the_folder_of_the_page() {
        let files = ["a.pdf", "docs/a.pdf", "other/a.pdf"];
        let folder = folder(&files);
        let found = urls(folder.path(), "docs/report.html", &files);
        let root = Url::from_directory_path(resolve(folder.path()).unwrap()).unwrap();
        assert_eq!(
            found,
            [
                Some(format!("{root}a.pdf")),
                Some("./a.pdf".to_owned()),
                Some(format!("{root}other/a.pdf"))
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn report_link_to_odd_name_is_escaped_and_opens_the_file() {
        let files = [
            "javascript:alert(1).txt",
            "100% #1?.txt",
            "a;b&c='d' \"e\".txt",
            "%2e%2e",
            "größe 請求書.txt",
            "data:text,x",
            "C|/line\nbreak\\.txt",
            "<b>|.txt",
        ];
        let folder = folder(&files);
        let root = Url::from_directory_path(resolve(folder.path()).unwrap()).unwrap();
        for (file, url) in files.iter().zip(urls(folder.path(), "report.html", &files)) {
            let url = url.unwrap();
            assert!(url.starts_with("./"), "{url}");
            assert!(
                !url.contains([' ', '"', '<', '>', '#', '?', '|', '\n', '\\']) && url.is_ascii(),
                "{url}"
            );
            // The `url` crate parses as browsers do.
            let opened = root.join(&url).unwrap();
            assert_eq!((opened.scheme(), opened.fragment()), ("file", None));
            let opened = opened.to_file_path().unwrap();
            assert_eq!(opened, resolve(folder.path()).unwrap().join(file));
        }
    }

    #[test]
    fn report_link_needs_a_file_without_scripts() {
        let files = [
            "a.html",
            "b.SVG",
            "c.xml",
            "d.htm.pdf",
            "e",
            "s3:/bucket/f.pdf",
        ];
        let folder = folder(&files);
        let found = urls(
            folder.path(),
            "report.html",
            &[&files[..5], &["gone.pdf", "s3:"]].concat(),
        );
        let is_linked: Vec<_> = found.iter().map(Option::is_some).collect();
        assert_eq!(is_linked, [false, false, false, true, true, false, false]);
        let mut links = Links::new(Path::new("report.html"));
        for name in [
            "",
            "/",
            "s3://bucket/f.pdf",
            "https://example.com/a.pdf",
            "file:///etc/hosts",
        ] {
            assert_eq!(links.url(name), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn report_link_resolves_symbolic_links_of_folders() {
        use std::os::unix::fs::symlink;

        let folder = folder(&["real/docs/a.pdf", "real/report.html"]);
        let at = |path: &str| folder.path().join(path);
        symlink(at("real/docs"), at("docs")).unwrap();
        symlink(at("real/report.html"), at("link.html")).unwrap();
        let file = Url::from_file_path(resolve(&at("real/docs")).unwrap().join("a.pdf")).unwrap();
        let file = Some(String::from(file));
        let of = |page: &str, path: &str| Links::new(&at(page)).url(&path_name(&at(path)));
        assert_eq!(
            of("report.html", "docs/a.pdf"),
            Some("./real/docs/a.pdf".to_owned())
        );
        assert_eq!(
            of("real/report.html", "docs/../docs/a.pdf"),
            Some("./docs/a.pdf".to_owned())
        );
        // The page has two paths, in different folders.
        assert_eq!(of("link.html", "docs/a.pdf"), file);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn report_link_to_name_that_is_not_utf8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;

        let folder = folder(&[]);
        let path = folder.path().join(OsStr::from_bytes(b"\xff\\x41.txt"));
        fs::write(&path, "").unwrap();
        let mut links = Links::new(&folder.path().join("report.html"));
        assert_eq!(links.url(&path_name(&path)).unwrap(), "./%FF%5Cx41.txt");
    }
}
