//! Converts paths to text and back, also paths that are not UTF-8.

use std::path::{Path, PathBuf};

/// Returns a path as text that [`name_path`] converts back to the same path.
///
/// A path in UTF-8 is returned unchanged. On Unix, a byte that is not UTF-8 is written as `\x` and two hexadecimal
/// digits, and so is a backslash that begins such a sequence in the path itself. On other systems, invalid Unicode is
/// replaced, as by [`Path::display`].
///
/// ```
/// use classify_client::{name_path, path_name};
/// use std::path::Path;
///
/// assert_eq!(path_name(Path::new("inbox/scan.pdf")), "inbox/scan.pdf");
/// assert_eq!(name_path("inbox/scan.pdf"), Path::new("inbox/scan.pdf"));
/// ```
#[must_use]
pub fn path_name(path: &Path) -> String {
    imp::path_name(path)
}

/// Returns the path of a text that [`path_name`] returned. A text without `\x` escapes is the path itself.
#[must_use]
pub fn name_path(name: &str) -> PathBuf {
    imp::name_path(name)
}

#[cfg(unix)]
mod imp {
    use std::ffi::OsString;
    use std::fmt::Write as _;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    pub(super) fn path_name(path: &Path) -> String {
        let mut name = String::new();
        for chunk in path.as_os_str().as_bytes().utf8_chunks() {
            let mut text = chunk.valid();
            while let Some(at) = text.find('\\') {
                let (before, rest) = text.split_at(at);
                name.push_str(before);
                name.push_str(if escaped_byte(rest.as_bytes()).is_some() {
                    "\\x5c"
                } else {
                    "\\"
                });
                text = &rest[1..];
            }
            name.push_str(text);
            for byte in chunk.invalid() {
                // Writing to a string cannot fail.
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
        name
    }

    pub(super) fn name_path(name: &str) -> PathBuf {
        let mut path = Vec::with_capacity(name.len());
        let mut rest = name.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            if let Some(byte) = escaped_byte(rest) {
                path.push(byte);
                rest = &rest[4..];
            } else {
                path.push(*first);
                rest = after;
            }
        }
        OsString::from_vec(path).into()
    }

    /// Returns the byte of the escape at the beginning of `text`; `None` if `text` does not begin with `\x` and two
    /// hexadecimal digits.
    fn escaped_byte(text: &[u8]) -> Option<u8> {
        let [b'\\', b'x', high, low, ..] = text else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    }
}

#[cfg(not(unix))]
mod imp {
    use std::path::{Path, PathBuf};

    pub(super) fn path_name(path: &Path) -> String {
        path.display().to_string()
    }

    pub(super) fn name_path(name: &str) -> PathBuf {
        name.into()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    /// Every path of up to six of these pieces has a unique name, and round-trips.
    #[test]
    fn path_name_is_reversible_and_unique() {
        let pieces: [&[u8]; 8] = [
            b"\\",
            b"x",
            b"5",
            b"c",
            b"\xff",
            b"\xc3",
            "é".as_bytes(),
            b"/",
        ];
        let mut names = BTreeMap::new();
        for number in 0..8_usize.pow(6) {
            let mut path = Vec::new();
            let mut left = number;
            while left > 0 {
                path.extend_from_slice(pieces[left % 8]);
                left /= 8;
            }
            let path = Path::new(OsStr::from_bytes(&path)).to_owned();
            let name = path_name(&path);
            assert_eq!(name_path(&name).as_os_str(), path.as_os_str(), "{name}");
            let other = names.insert(name, path.clone());
            assert!(other.is_none_or(|other| other.as_os_str() == path.as_os_str()));
        }
    }

    #[test]
    fn path_name_of_ordinary_path_is_the_path() {
        for path in ["a.pdf", "ü ñ.txt", "a\\b", "\\xylophone", "C:\\x", "\\x4"] {
            assert_eq!(path_name(Path::new(path)), path);
        }
        let path = Path::new(OsStr::from_bytes(b"scan\xff.pdf"));
        assert_eq!(path_name(path), "scan\\xff.pdf");
        assert_eq!(path_name(Path::new("scan\\xff.pdf")), "scan\\x5cxff.pdf");
    }
}
