//! `sorted/{type}/`: a folder for each type, and no way out of it for a type that is odd.

use std::path::{Path, PathBuf};

/// Where files of a type go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Type,
}

/// The most bytes of a type that a folder is named by; file systems take 255 for a name.
const LONGEST: usize = 200;

impl Destination {
    /// Reads a template; braces that are meant as such are doubled.
    pub(crate) fn read(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    text.push(c);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) => name.push(c),
                            None => return Err("a brace is not closed; write {type}".to_owned()),
                        }
                    }
                    if name != "type" {
                        return Err(format!("{{{name}}} is unknown; {{type}} is all there is"));
                    }
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Type);
                }
                '}' => return Err("a brace is not opened; write {type}, or }} for }".to_owned()),
                '\0' => return Err("a path cannot hold a null character".to_owned()),
                c => text.push(c),
            }
        }
        if parts.is_empty() {
            let folder = template.trim_end_matches(std::path::is_separator);
            return Err(format!(
                "it says nothing of the type; write {folder}/{{type}}/ for a folder for each"
            ));
        }
        parts.push(Part::Text(text));
        Ok(Self(parts))
    }

    /// The folder for files of this type.
    pub(crate) fn folder(&self, r#type: &str) -> PathBuf {
        let name = folder_name(r#type);
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Type => name.as_str(),
            })
            .collect::<String>()
            .into()
    }

    /// The folder that all types' folders lie in.
    pub(crate) fn base(&self) -> PathBuf {
        let Some(Part::Text(before)) = self.0.first() else {
            return PathBuf::from(".");
        };
        let end = before.rfind(std::path::is_separator).map_or(0, |at| at + 1);
        let base = Path::new(before.get(..end).unwrap_or_default());
        if base.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            base.to_owned()
        }
    }
}

/// A type as the name of one folder, on every system: no separators, nothing hidden, no device.
pub(crate) fn folder_name(r#type: &str) -> String {
    let mut name: String = r#type
        .trim()
        .chars()
        .map(|c| if is_unfit(c) { '_' } else { c })
        .collect();
    while name.len() > LONGEST {
        name.pop();
    }
    // Windows drops dots and blanks at the end of a name, so that `..` would be another folder.
    let kept = name.trim_end_matches(['.', ' ']).len();
    let dropped = name.split_off(kept).chars().count();
    name.extend(std::iter::repeat_n('_', dropped));
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if name.is_empty() || is_device(&name) {
        name.insert(0, '_');
    }
    name
}

/// Whether a character would lead elsewhere, is refused by some system, or shows as another name than it is.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || r#"/\:*?"<>|"#.contains(c)
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether Windows takes a name for a device, with whatever extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = |kind: &str| {
        stem.strip_prefix(kind).is_some_and(|number| {
            let mut digits = number.chars();
            digits
                .next()
                .is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c))
                && digits.next().is_none()
        })
    };
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || numbered("COM")
        || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn a_template_is_read_or_refused_with_a_way_out() {
        let plain = Destination::read("sorted/{type}/").unwrap();
        assert_eq!(plain.folder("invoice"), Path::new("sorted/invoice/"));
        assert_eq!(plain.base(), Path::new("sorted/"));
        let within = Destination::read("/a/{{x}}/by-{type}-2025").unwrap();
        assert_eq!(within.folder("b c"), Path::new("/a/{x}/by-b c-2025"));
        assert_eq!(within.base(), Path::new("/a/{x}/"));
        assert_eq!(Destination::read("{type}").unwrap().base(), Path::new("."));
        for (template, part) in [
            ("sorted/", "write sorted/{type}/"),
            ("", "{type}"),
            ("a/{label}", "{label} is unknown"),
            ("a/{type", "not closed"),
            ("a/type}", "not opened"),
            ("a/{}", "{} is unknown"),
            ("a/{Type}", "{Type} is unknown"),
        ] {
            let error = Destination::read(template).unwrap_err();
            assert!(error.contains(part), "{template}: {error}");
        }
    }

    #[test]
    fn no_type_leads_out_of_its_folder() {
        for (r#type, name) in [
            ("invoice", "invoice"),
            ("Größe 請求書", "Größe 請求書"),
            ("..", "__"),
            (".", "_"),
            ("", "_"),
            ("  ", "_"),
            ("../../etc", "_._.._etc"),
            ("/etc/passwd", "_etc_passwd"),
            ("a\\b", "a_b"),
            ("c:x", "c_x"),
            ("a\0b\nc", "a_b_c"),
            (".hidden", "_hidden"),
            ("end. ", "end_"),
            ("nul", "_nul"),
            ("NUL.txt", "_NUL.txt"),
            ("Com1", "_Com1"),
            ("COM¹", "_COM¹"),
            ("com10", "com10"),
            ("console", "console"),
            ("a\u{202e}b", "a_b"),
        ] {
            assert_eq!(folder_name(r#type), name, "{type:?}");
        }
        assert!(folder_name(&"ü".repeat(500)).len() <= LONGEST);
    }

    proptest! {
        #[test]
        fn whatever_the_type_is_it_names_one_folder(
            r#type in prop_oneof![
                any::<String>(),
                "[./\\\\ :~-]{0,6}",
                "(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])[ .]{0,2}[a-z]{0,2}",
            ]
        ) {
            let destination = Destination::read("d/{type}").unwrap();
            let folder = destination.folder(&r#type);
            let parts: Vec<_> = folder.components().collect();
            let is_one = matches!(parts[..], [Component::Normal(_), Component::Normal(_)]);
            prop_assert!(is_one, "{folder:?}");
            let name = folder_name(&r#type);
            prop_assert!(!name.starts_with('.') && !name.ends_with(['.', ' ']) && !is_device(&name));
            prop_assert!(name.len() <= LONGEST + 1 && !name.contains(is_unfit));
        }
    }
}
