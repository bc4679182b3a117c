//! Path segments and query strings.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::Error;

/// All characters except RFC 3986's `pchar`: those that a path segment must encode.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// All characters except RFC 3986's unreserved ones: safe on both sides of a query's `=`.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `/segment` to a path, encoded as one segment.
///
/// An empty segment, `.` and `..` would change the path and are rejected; `field` names the argument in the error.
pub(crate) fn push_segment(
    path: &mut String,
    field: &'static str,
    segment: &str,
) -> Result<(), Error> {
    match segment {
        "" => {
            return Err(Error::invalid(
                field,
                "is empty; as a part of the path it would change the request",
            ));
        }
        "." | ".." => {
            return Err(Error::invalid(
                field,
                format!("is {segment:?}; as a part of the path it would change the request"),
            ));
        }
        _ => {}
    }
    path.push('/');
    path.extend(utf8_percent_encode(segment, SEGMENT));
    Ok(())
}

/// Appends `name=value` to a query.
pub(crate) fn push_pair(query: &mut String, name: &str, value: &str) {
    query.extend(utf8_percent_encode(name, QUERY));
    query.push('=');
    query.extend(utf8_percent_encode(value, QUERY));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(text: &str) -> String {
        let mut path = String::new();
        push_segment(&mut path, "job_id", text).unwrap();
        path
    }

    #[test]
    fn url_segment_encoding_matches_official_client() {
        assert_eq!(segment("a/b/c"), "/a%2Fb%2Fc");
        assert_eq!(segment("%20"), "/%2520");
        assert_eq!(segment("x?admin=true"), "/x%3Fadmin=true");
        assert_eq!(segment("../../x"), "/..%2F..%2Fx");
        for plain in [".hidden", "file.txt", "...", "clj-11", "a:b@c"] {
            assert_eq!(segment(plain), format!("/{plain}"));
        }
        assert_eq!(segment("a b#é"), "/a%20b%23%C3%A9");
    }

    #[test]
    fn url_segment_empty_or_dots_is_an_error() {
        for text in ["", ".", ".."] {
            let error = push_segment(&mut String::new(), "job_id", text).unwrap_err();
            assert!(error.to_string().contains("job_id"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn url_segment_round_trips_as_one_segment(text in ".{1,40}") {
            prop_assume!(text != "." && text != "..");
            let path = segment(&text);
            prop_assert_eq!(path.matches('/').count(), 1);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte)));
            let decoded = percent_encoding::percent_decode_str(&path[1..]).decode_utf8().unwrap();
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn url_query_pair_round_trips(name in "[a-z_]{1,8}", value in ".{0,40}") {
            let mut query = String::new();
            push_pair(&mut query, &name, &value);
            let (left, right) = query.split_once('=').unwrap();
            prop_assert_eq!(left, &name);
            prop_assert!(!right.contains(['&', '=', '#', '+', ' ']));
            prop_assert_eq!(percent_encoding::percent_decode_str(right).decode_utf8().unwrap(), value.as_str());
        }
    }
}
