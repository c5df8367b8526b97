//! Help for the width of the terminal: what stands below the flags, laid out anew.
//!
//! Lines without an indent are paragraphs. `  name   what it is` has two columns. A command that is too long goes on
//! behind a `\`, so that it can be copied.

use clap::Command;

/// Wider lines are hard to read.
const WIDEST: usize = 160;
/// Where there is no terminal and `COLUMNS` is not set.
const USUAL: usize = 100;

/// The command line with help for a terminal of so many columns, if there is one.
pub(super) fn fitted(command: Command, columns: Option<usize>) -> Command {
    let width = columns.unwrap_or(USUAL).clamp(20, WIDEST);
    let text = command
        .get_after_help()
        .map(|text| laid_out(&text.to_string(), width));
    let command = command.term_width(width);
    let command = match text {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(|command| fitted(command, columns))
}

fn laid_out(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut paragraph = String::new();
    for line in text.lines() {
        if line.is_empty() || line.starts_with(' ') {
            wrap(&mut lines, "", &std::mem::take(&mut paragraph), width, 0);
            indented(&mut lines, line, width);
        } else {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line);
            if line.ends_with(':') {
                wrap(&mut lines, "", &std::mem::take(&mut paragraph), width, 0);
            }
        }
    }
    wrap(&mut lines, "", &paragraph, width, 0);
    lines.join("\n")
}

fn indented(lines: &mut Vec<String>, line: &str, width: usize) {
    let blanks = line.len() - line.trim_start().len();
    let is_command = ["memvault ", "printf "]
        .iter()
        .any(|name| line[blanks..].starts_with(name));
    let gap = line[blanks..].find("  ").map(|gap| blanks + gap);
    let (left, right) = gap.map_or((line, ""), |gap| (&line[..gap], line[gap..].trim_start()));
    let column = line.len() - right.len();
    if line.chars().count() <= width {
        lines.push(line.to_owned());
    } else if right.is_empty() && is_command {
        command(lines, line, width);
    } else if right.is_empty() {
        wrap(lines, &line[..blanks], &line[blanks..], width, blanks);
    } else if column + 30 <= width {
        wrap(lines, &format!("{left:<column$}"), right, width, column);
    } else {
        indented(lines, left, width);
        let below = blanks + 4;
        wrap(lines, &" ".repeat(below), right, width, below);
    }
}

/// Breaks a command before its flags, as a shell reads it.
fn command(lines: &mut Vec<String>, line: &str, width: usize) {
    let mut pieces = line.split(" --");
    let mut now = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if now.len() + piece.len() + " -- \\".len() > width {
            lines.push(std::mem::replace(&mut now, "     ".to_owned()) + " \\");
        }
        now.push_str(" --");
        now.push_str(piece);
    }
    lines.push(now);
}

/// Fills lines behind `head`; those that follow are indented.
fn wrap(lines: &mut Vec<String>, head: &str, text: &str, width: usize, indent: usize) {
    if text.is_empty() {
        return;
    }
    let mut now = head.to_owned();
    let mut is_first = true;
    for word in text.split(' ') {
        let needed = now.chars().count() + usize::from(!is_first) + word.chars().count();
        if !is_first && needed > width {
            lines.push(std::mem::replace(&mut now, " ".repeat(indent)));
            is_first = true;
        }
        if !is_first {
            now.push(' ');
        }
        now.push_str(word);
        is_first = false;
    }
    lines.push(now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_columns_and_commands_are_laid_out() {
        let text = [
            "One sentence that somebody had",
            "broken by hand.",
            "",
            "Examples:",
            "  memvault get key --cluster b:1,c:2,d:3",
            "  memvault up               all of it at once, with a gateway",
            "  none   nothing at all of all this happens",
        ];
        let expected = [
            "One sentence that somebody had broken by",
            "hand.",
            "",
            "Examples:",
            "  memvault get key --cluster b:1,c:2,d:3",
            "  memvault up",
            "      all of it at once, with a gateway",
            "  none   nothing at all of all this",
            "         happens",
        ];
        let text = text.join("\n");
        assert_eq!(laid_out(&text, 40), expected.join("\n"));
        let narrow = laid_out(&text, 36);
        let command = "  memvault get key \\\n      --cluster b:1,c:2,d:3\n";
        assert!(narrow.contains(command), "{narrow}");
    }
}
