//! What came of a seed, as the last line of the file that one process leaves for another.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use super::ended::{Ended, text_of_panic};
use crate::world::RunError;

const PREFIX: &str = "ended\t";

/// Writes how a run has ended.
pub(super) fn tell(ended: &Ended, file: &File) -> io::Result<()> {
    let fields = match ended {
        Ok(Ok(())) => vec!["passed".to_owned()],
        Ok(Err(error)) => match error.run_error() {
            Some(error) => {
                let mut fields = vec!["run".to_owned()];
                fields.extend(error.fields());
                fields
            }
            None => vec!["error".to_owned(), error.to_string()],
        },
        Err(payload) => {
            vec!["panicked".to_owned(), text_of_panic(payload).unwrap_or_default().to_owned()]
        }
    };
    let fields: Vec<String> = fields.iter().map(|field| escaped(field)).collect();
    let mut file = file;
    writeln!(file, "{PREFIX}{}", fields.join("\t"))
}

/// Reads how it has ended; `None` when it says nothing of that.
pub(super) fn hear(file: &File) -> io::Result<Option<Ended>> {
    let (mut file, mut text) = (file, Vec::new());
    file.rewind()?;
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find_map(|line| line.strip_prefix(PREFIX));
    let fields: Vec<String> =
        line.into_iter().flat_map(|line| line.split('\t').map(plain)).collect();
    let first = || fields.get(1).cloned().unwrap_or_default();
    Ok(match fields.first().map(String::as_str) {
        Some("passed") => Some(Ok(Ok(()))),
        Some("run") => RunError::from_fields(&fields[1..]).map(|error| Ok(Err(error.into()))),
        Some("error") => Some(Ok(Err(first().into()))),
        Some("panicked") => Some(Err(Box::new(first()))),
        _ => None,
    })
}

fn escaped(field: &str) -> String {
    let field = field.replace('\\', "\\\\").replace('\t', "\\t");
    field.replace('\r', "\\r").replace('\n', "\\n")
}

fn plain(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some(other) => text.push(other),
                None => {}
            },
            (other, false) => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::repeat::file_without_name;

    fn through_a_file(ended: Ended) -> Ended {
        let file = file_without_name().unwrap();
        tell(&ended, &file).unwrap();
        hear(&file).unwrap().unwrap()
    }

    #[test]
    fn what_one_process_tells_another_hears() {
        assert!(matches!(through_a_file(Ok(Ok(()))), Ok(Ok(()))));
        let text = "a\tb\nc\\n\\\r\nd ü";
        let error = through_a_file(Ok(Err(text.into()))).unwrap().unwrap_err();
        assert_eq!(error.to_string(), text);
        let error = RunError::setup(7, text.to_owned());
        let whole = error.to_string();
        let error = through_a_file(Ok(Err(error.into()))).unwrap().unwrap_err();
        assert_eq!((error.to_string(), error.run_error().unwrap().seed()), (whole, 7));
        let payload = through_a_file(Err(Box::new("why"))).unwrap_err();
        assert_eq!(text_of_panic(&payload), Some("why"));
    }

    #[test]
    fn a_process_that_ended_before_it_told_is_noticed() {
        let file = file_without_name().unwrap();
        assert!(hear(&file).unwrap().is_none());
        (&file).write_all(b"c\t1\t2\t3\nended\trun\t7").unwrap();
        assert!(hear(&file).unwrap().is_none());
    }
}
