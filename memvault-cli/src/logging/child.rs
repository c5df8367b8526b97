//! The logs of servers that are processes of their own, within the log of the program that started them.

use super::LogFormat;
use crate::logging;
use crate::output::Style;

/// How the lines of one process are told from those of others.
#[derive(Clone, Debug)]
pub(crate) struct ChildLog {
    name: String,
    /// What stands before each line of text.
    prefix: String,
    format: LogFormat,
}

impl ChildLog {
    /// `number` chooses the colour.
    pub(crate) fn new(name: &str, number: usize, format: LogFormat) -> Self {
        let prefix = Style::of_stderr().of_number(number, format_args!("{name:<9} |"));
        Self {
            name: name.to_owned(),
            prefix,
            format,
        }
    }

    /// Writes a line that the process has written.
    pub(crate) fn write(&self, line: &str) {
        match self.format {
            LogFormat::Text => logging::note(format_args!("{} {line}", self.prefix)),
            LogFormat::Json => match labelled(&self.name, line) {
                Some(line) => logging::note(line),
                None => log::error!(process = self.name, text = line; "output"),
            },
        }
    }
}

/// Whether a line that a server has logged tells of an error.
pub(crate) fn is_error(line: &str) -> bool {
    line.contains(" ERROR ") || line.contains("\"level\":\"error\"")
}

/// The object in a line, with one more field; `None` if there is no object: it was not logged, but written, such as
/// the last words of the allocator.
fn labelled(name: &str, line: &str) -> Option<String> {
    let rest = line.strip_prefix("{\"ts\":")?;
    let name = serde_json::to_string(name).ok()?;
    Some(format!("{{\"process\":{name},\"ts\":{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gets_the_name_of_its_process() {
        let line = "{\"ts\":\"2026\",\"level\":\"info\"}";
        let expected = "{\"process\":\"node \\\"1\\\"\",\"ts\":\"2026\",\"level\":\"info\"}";
        assert_eq!(labelled("node \"1\"", line).as_deref(), Some(expected));
        assert_eq!(labelled("node 1", "memory allocation failed"), None);
    }
}
