//! Command lines as they are written in documentation.

/// Splits a command line as a shell does: with quotes, and backslashes at the end of a line.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    let line = line.replace("\\\n", " ");
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The command lines of this program in a text: a line with a backslash at its end continues in the next. Prompts,
/// variables and pipes are removed.
pub fn commands(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let start = line.find("llamacloud-prod ")?;
        // The text before it in a command line: variables, or another command with a pipe.
        let before = &line[..start];
        let is_command = before.is_empty() || before.ends_with("| ") || before.contains('=');
        is_command.then(|| &line[start..])
    });
    lines.map(|line| until_the_shell(line).to_owned()).collect()
}

/// Returns a line up to the first operator of the shell outside quotes.
fn until_the_shell(line: &str) -> &str {
    let mut quote = None;
    for (place, c) in line.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('|' | '>' | '#' | '&' | ';', None) if line[..place].ends_with(' ') => {
                return line[..place].trim_end();
            }
            _ => {}
        }
    }
    line
}
