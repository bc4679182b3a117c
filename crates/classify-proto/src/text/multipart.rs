//! `multipart/form-data` around one document (RFC 7578).

use std::fmt::Write as _;

use crate::body::{Content, Multipart};

/// Frames a document: the text fields first, then the file.
///
/// Names are sent as UTF-8. Quotation marks and control characters are percent-encoded, and a backslash is doubled.
pub(crate) fn frame(
    boundary: &str,
    fields: &[(&str, &str)],
    file_name: &str,
    content_type: &str,
    content: Content,
) -> Multipart {
    let mut head = String::new();
    for (name, value) in fields {
        push_line(&mut head, format_args!("--{boundary}"));
        push_line(
            &mut head,
            format_args!("Content-Disposition: form-data; name=\"{}\"", quoted(name)),
        );
        push_line(&mut head, format_args!(""));
        push_line(&mut head, format_args!("{value}"));
    }
    push_line(&mut head, format_args!("--{boundary}"));
    push_line(
        &mut head,
        format_args!(
            "Content-Disposition: form-data; name=\"file\"; filename=\"{}\"",
            quoted(file_name)
        ),
    );
    push_line(&mut head, format_args!("Content-Type: {content_type}"));
    push_line(&mut head, format_args!(""));
    Multipart::new(head, content, format!("\r\n--{boundary}--\r\n"))
}

fn push_line(head: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = head.write_fmt(line);
    head.push_str("\r\n");
}

fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => quoted.push_str("%22"),
            // Some parsers read a single backslash as an escape character: at the end, of the closing quotation mark.
            '\\' => quoted.push_str("\\\\"),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "%{:02X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;

    #[test]
    fn multipart_form_writes_fields_before_file() {
        let multipart = frame(
            "B",
            &[("purpose", "classify")],
            "q\"uote\r\n\u{7}\\.txt",
            "text/plain",
            Content::from(b"hello".to_vec()),
        );
        let whole = Body::Multipart(multipart).in_memory().unwrap();
        assert_eq!(
            std::str::from_utf8(&whole).unwrap(),
            "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nclassify\r\n--B\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"q%22uote%0D%0A%07\\\\.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nhello\r\n--B--\r\n"
        );
    }
}
