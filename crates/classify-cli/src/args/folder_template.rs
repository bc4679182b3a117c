//! Folder templates such as `sorted/{type}/`: a folder for each type. A type cannot contain a path to another folder.

use std::path::{Path, PathBuf};

use crate::path_hint::{UNEXPANDED_HOME, is_unexpanded_home};
use classify_rules::parse_message::shorten;

/// A template for the folder of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderTemplate(Vec<TemplatePart>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Type,
}

/// The maximum length of a folder name in bytes; file systems allow 255.
const MAX_NAME_BYTES: usize = 200;

impl FolderTemplate {
    /// Parses a template. `{{` and `}}` are literal braces.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        if is_unexpanded_home(template) {
            return Err(UNEXPANDED_HOME.to_owned());
        }
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
                        return Err(format!(
                            "{{{}}} is unknown; {{type}} is all there is",
                            shorten(&name, 40)
                        ));
                    }
                    parts.push(TemplatePart::Text(std::mem::take(&mut text)));
                    parts.push(TemplatePart::Type);
                }
                '}' => return Err("a brace is not opened; write {type}, or }} for }".to_owned()),
                '\0' => return Err("a path cannot hold a null character".to_owned()),
                c => text.push(c),
            }
        }
        if parts.is_empty() {
            let folder = shorten(template.trim_end_matches(std::path::is_separator), 100);
            return Err(format!(
                "it says nothing of the type; write {folder}/{{type}}/ for a folder for each"
            ));
        }
        parts.push(TemplatePart::Text(text));
        Ok(Self(parts))
    }

    /// Returns the folder of a type.
    pub(crate) fn folder(&self, r#type: &str) -> PathBuf {
        let name = folder_name(r#type);
        self.0
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => text.as_str(),
                TemplatePart::Type => name.as_str(),
            })
            .collect::<String>()
            .into()
    }

    /// Returns the folder that contains the folders of all types.
    pub(crate) fn base(&self) -> PathBuf {
        let Some(TemplatePart::Text(before)) = self.0.first() else {
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

/// Returns a valid folder name for a type on every system: no separators, not hidden, and not a device.
pub(crate) fn folder_name(r#type: &str) -> String {
    let mut name: String = r#type
        .trim()
        .chars()
        .map(|c| if is_forbidden(c) { '_' } else { c })
        .collect();
    while name.len() > MAX_NAME_BYTES {
        name.pop();
    }
    // Windows drops dots and blanks at the end of a name, so that `..` would be another folder.
    let kept = name.trim_end_matches(['.', ' ']).len();
    let dropped = name.split_off(kept).chars().count();
    name.extend(std::iter::repeat_n('_', dropped));
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if name.is_empty() || is_windows_device(&name) {
        name.insert(0, '_');
    }
    name
}

/// Whether a character separates folders, is invalid on some system, or changes how the name is displayed.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || r#"/\:*?"<>|"#.contains(c)
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a name is a device on Windows, with any extension.
fn is_windows_device(name: &str) -> bool {
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
    fn destination_template_is_parsed_or_rejected_with_hint() {
        let plain = FolderTemplate::parse("sorted/{type}/").unwrap();
        assert_eq!(plain.folder("invoice"), Path::new("sorted/invoice/"));
        assert_eq!(plain.base(), Path::new("sorted/"));
        let within = FolderTemplate::parse("/a/{{x}}/by-{type}-2025").unwrap();
        assert_eq!(within.folder("b c"), Path::new("/a/{x}/by-b c-2025"));
        assert_eq!(within.base(), Path::new("/a/{x}/"));
        assert_eq!(
            FolderTemplate::parse("{type}").unwrap().base(),
            Path::new(".")
        );
        // A folder whose name is `~`.
        for template in ["./~/{type}", "~x/{type}", "a/~/{type}"] {
            assert!(FolderTemplate::parse(template).is_ok(), "{template}");
        }
        for (template, part) in [
            ("sorted/", "write sorted/{type}/"),
            ("", "{type}"),
            ("a/{label}", "{label} is unknown"),
            ("a/{type", "not closed"),
            ("a/type}", "not opened"),
            ("a/{}", "{} is unknown"),
            ("a/{Type}", "{Type} is unknown"),
            ("~/sorted/{type}/", "$HOME"),
            ("~/{type}", "$HOME"),
        ] {
            let error = FolderTemplate::parse(template).unwrap_err();
            assert!(error.contains(part), "{template}: {error}");
        }
    }

    #[test]
    fn destination_folder_name_is_sanitized() {
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
        assert!(folder_name(&"ü".repeat(500)).len() <= MAX_NAME_BYTES);
    }

    proptest! {
        #[test]
        fn destination_of_any_type_is_one_safe_folder(
            r#type in prop_oneof![
                any::<String>(),
                "[./\\\\ :~-]{0,6}",
                "(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])[ .]{0,2}[a-z]{0,2}",
            ]
        ) {
            let template = FolderTemplate::parse("d/{type}").unwrap();
            let folder = template.folder(&r#type);
            let parts: Vec<_> = folder.components().collect();
            let is_one = matches!(parts[..], [Component::Normal(_), Component::Normal(_)]);
            prop_assert!(is_one, "{folder:?}");
            let name = folder_name(&r#type);
            prop_assert!(!name.starts_with('.') && !name.ends_with(['.', ' ']) && !is_windows_device(&name));
            prop_assert!(name.len() <= MAX_NAME_BYTES + 1 && !name.contains(is_forbidden));
        }
    }
}
