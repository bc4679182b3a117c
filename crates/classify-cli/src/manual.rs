//! The manual: the long texts at the end of `--help`. The man pages contain the same texts, and the README is tested
//! against them.

#[cfg(any(feature = "mcp", test))]
mod mcp;
mod program;
mod run;

use std::fmt::Write as _;

use crate::exit_code::ExitCode;

#[cfg(any(feature = "mcp", test))]
pub(crate) use self::mcp::MCP;
pub(crate) use self::program::{EXAMPLES, PROGRAM};
pub(crate) use self::run::RUN;

/// A section of the manual.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) blocks: &'static [Block],
}

/// A part of a section.
pub(crate) enum Block {
    /// A paragraph.
    Text(&'static str),
    /// Lines that are printed as they are.
    Code(&'static str),
    /// Names, each with a short description.
    List(&'static [(&'static str, &'static str)]),
}

/// The maximum width of a line of help, in characters. The help is as wide on every terminal.
const WIDTH: usize = 100;

/// Returns the sections as they are printed at the end of `--help`.
pub(crate) fn help(sections: &[Section]) -> String {
    let sections: Vec<String> = sections.iter().map(section_help).collect();
    sections.join("\n")
}

/// Returns the exit codes of all commands as a section of `--help`.
pub(crate) fn exit_code_help() -> String {
    let codes: Vec<_> = exit_codes().collect();
    let items: Vec<_> = codes
        .iter()
        .map(|(code, _, description)| (code.as_str(), *description))
        .collect();
    format!("Exit codes:\n{}", list_help(&items))
}

/// Returns a list as it is printed by `--help`: names, and descriptions in a column of their own.
pub(crate) fn list_help(items: &[(&str, &str)]) -> String {
    let longest = items.iter().map(|(name, _)| name.chars().count()).max();
    let width = longest.unwrap_or(0) + 2;
    let mut text = String::new();
    for (name, description) in items {
        let mut line = format!("  {name:<width$}");
        for word in description.split(' ') {
            if line.chars().count() + word.chars().count() > WIDTH {
                let _ = writeln!(text, "{}", line.trim_end());
                line = " ".repeat(width + 2);
            }
            line.push_str(word);
            line.push(' ');
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn section_help(section: &Section) -> String {
    let mut text = format!("{}:\n", section.title);
    for (index, block) in section.blocks.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match block {
            Block::Text(paragraph) => {
                let _ = writeln!(text, "  {paragraph}");
            }
            Block::Code(code) => {
                for line in code.lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
            Block::List(items) => text.push_str(&list_help(items)),
        }
    }
    text
}

/// Returns the sections for the end of a man page, in roff.
pub(crate) fn man(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        let _ = writeln!(text, ".SH \"{}\"", roff(&section.title.to_uppercase()));
        for block in section.blocks {
            match block {
                Block::Text(paragraph) => {
                    let _ = writeln!(text, ".PP\n{}", roff(paragraph));
                }
                Block::Code(code) => {
                    let lines: Vec<_> = code.lines().map(roff).collect();
                    let _ = writeln!(text, ".PP\n.nf\n.RS 4\n{}\n.RE\n.fi", lines.join("\n"));
                }
                Block::List(items) => text.push_str(&list_man(items)),
            }
        }
    }
    text
}

/// Returns the exit codes of all commands as a section of a man page.
pub(crate) fn exit_code_man() -> String {
    let codes: Vec<_> = exit_codes().collect();
    let items: Vec<_> = codes
        .iter()
        .map(|(code, _, description)| (code.as_str(), *description))
        .collect();
    format!(".SH \"EXIT CODES\"\n{}", list_man(&items))
}

fn list_man(items: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, description) in items {
        let (name, description) = (roff(name), roff(description));
        let _ = writeln!(text, ".TP\n\\fB{name}\\fR\n{description}");
    }
    text
}

/// Escapes a line for roff. Text in backticks becomes bold.
fn roff(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        let part = part.replace('\\', "\\e").replace('-', "\\-");
        if index % 2 == 1 {
            format!("\\fB{part}\\fR")
        } else {
            part
        }
    });
    let line: String = parts.collect();
    // A line that begins with one of these would be a request.
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}

/// Exit codes with their kind and description.
fn exit_codes() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let success = "success; a document that matches no rule counts as a success";
    std::iter::once(("0".to_owned(), "", success)).chain(ExitCode::ALL.into_iter().map(|code| {
        let number = (code as u8).to_string();
        (number, code.kind(), code.description())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The maximum width of a line of the README.
    const README_WIDTH: usize = 120;

    fn markdown(sections: &[Section]) -> String {
        let mut text = String::new();
        for section in sections {
            let _ = writeln!(text, "\n### {}", section.title);
            for block in section.blocks {
                text.push('\n');
                match block {
                    Block::Text(paragraph) => wrap(paragraph, &mut text),
                    Block::Code(code) => {
                        let language = match code.trim_start() {
                            code if code.starts_with('{') => "json",
                            code if code.starts_with("rules:") => "yaml",
                            _ => "sh",
                        };
                        let _ = writeln!(text, "```{language}\n{code}\n```");
                    }
                    Block::List(items) => {
                        text.push_str("| | |\n| --- | --- |\n");
                        for (name, description) in *items {
                            let name = name.replace(", ", "`, `");
                            let _ = writeln!(text, "| `{name}` | {description} |");
                        }
                    }
                }
            }
        }
        text.replace("docs/errors.md", "[docs/errors.md](../../docs/errors.md)")
    }

    fn wrap(paragraph: &str, text: &mut String) {
        let mut length = 0;
        for word in paragraph.split(' ') {
            if length > 0 && length + 1 + word.chars().count() > README_WIDTH {
                text.push('\n');
                length = 0;
            } else if length > 0 {
                text.push(' ');
                length += 1;
            }
            text.push_str(word);
            length += word.chars().count();
        }
        text.push('\n');
    }

    fn exit_code_markdown() -> String {
        let mut text = "\n| code | kind | meaning |\n| --- | --- | --- |\n".to_owned();
        for (code, kind, description) in exit_codes() {
            let kind = if kind.is_empty() {
                String::new()
            } else {
                format!("`{kind}` ")
            };
            let _ = writeln!(text, "| {code} | {kind}| {description} |");
        }
        text
    }

    /// `UPDATE_README=1` writes the sections of the manual into the README.
    #[test]
    fn readme_has_the_text_of_the_manual() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let mut readme = std::fs::read_to_string(path).unwrap().replace('\r', "");
        for (name, manual) in [
            ("program", markdown(PROGRAM)),
            ("exit codes", exit_code_markdown()),
            ("classify run", markdown(RUN)),
            ("mcp", markdown(MCP)),
        ] {
            let (begin, end) = (
                format!("<!-- manual: {name} -->\n"),
                format!("\n<!-- end of {name} -->\n"),
            );
            let (before, rest) = readme.split_once(&begin).unwrap();
            let (block, after) = rest.split_once(&end).unwrap();
            if std::env::var_os("UPDATE_README").is_some() {
                readme = format!("{before}{begin}{manual}{end}{after}");
            } else {
                assert_eq!(block, manual, "{name}: UPDATE_README=1 writes it again");
            }
        }
        if std::env::var_os("UPDATE_README").is_some() {
            std::fs::write(path, readme).unwrap();
        }
    }

    #[test]
    fn man_text_is_escaped_and_backticks_become_bold() {
        assert_eq!(roff("add `--resume`, \\@"), r"add \fB\-\-resume\fR, \e@");
        assert_eq!(roff(".part"), r"\&.part");
        let page = man(&[Section {
            title: "Rules file",
            blocks: &[
                Block::Text("A text."),
                Block::Code("a:\n  b"),
                Block::List(&[("name", "text")]),
            ],
        }]);
        assert_eq!(
            page,
            ".SH \"RULES FILE\"\n.PP\nA text.\n.PP\n.nf\n.RS 4\na:\n  b\n.RE\n.fi\n.TP\n\\fBname\\fR\ntext\n"
        );
    }

    #[test]
    fn manual_list_wraps_below_its_description() {
        let long = "word ".repeat(30);
        let text = list_help(&[("a", long.trim()), ("name", "short")]);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("        word"));
        assert!(text.ends_with("\n  name  short\n"), "{text}");
    }
}
