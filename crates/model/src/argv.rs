//! The words of a command as one canonical text, and back.
//!
//! Policy matches these texts and people read them in approvals, so a list of words has exactly one spelling: [`join`] quotes as the shell of
//! POSIX does (Shell Command Language, 2.2.2), and [`split`] reads that spelling and whatever else a person writes for it.

/// The canonical text: words with one space between them. A word of letters, digits and `_@%+=:,./-` stands bare, unless it is empty; every
/// other one stands in single quotes, a single quote in it as `'\''`.
#[must_use]
pub fn join(words: &[String]) -> String {
    let mut text = String::with_capacity(words.iter().map(|word| word.len() + 3).sum());
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        if is_bare(word) {
            text.push_str(word);
        } else {
            text.push('\'');
            text.push_str(&word.replace('\'', r"'\''"));
            text.push('\'');
        }
    }
    text
}

fn is_bare(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte))
}

/// Folders whose programs are those that a bare name means.
const FOLDERS: [&str; 5] = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/"];

/// The name of a program that is given by its path in a folder where a bare name is looked up: `ls` of `/usr/bin/ls`.
#[must_use]
pub fn name_in_path(program: &str) -> Option<&str> {
    let name = FOLDERS.iter().find_map(|folder| program.strip_prefix(folder))?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The words of a text: what [`join`] wrote, or bare words, single and double quotes and backslashes as a person writes them. Blanks and tabs
/// stand between words. Nothing is expanded: `*`, `$` and `~` are themselves.
///
/// `None` where a quote is not closed, a backslash is the last character, or a line ends outside of quotes: that is not one command.
#[must_use]
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\n' | '\r' => return None,
            '\'' => single(&mut rest, word.get_or_insert_default())?,
            '"' => double(&mut rest, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(rest.next().filter(|next| *next != '\n')?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

/// The rest of a single-quoted piece.
fn single(rest: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '\'' => return Some(()),
            other => word.push(other),
        }
    }
}

/// The rest of a double-quoted piece. A backslash there quotes only what would be special without it.
fn double(rest: &mut std::str::Chars<'_>, word: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '"' => return Some(()),
            '\\' => match rest.next()? {
                special @ ('"' | '\\' | '$' | '`') => word.push(special),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_canonical_text_is_bare_where_it_can_be() {
        assert_eq!(join(&words(&["kubectl", "get", "pods", "-n", "dev"])), "kubectl get pods -n dev");
        assert_eq!(join(&words(&["cat", "it's fine", "", "*"])), r"cat 'it'\''s fine' '' '*'");
        assert_eq!(join(&[]), "");
    }

    #[test]
    fn programs_of_the_system_have_names() {
        assert_eq!((name_in_path("/bin/ls"), name_in_path("/usr/local/bin/kubectl")), (Some("ls"), Some("kubectl")));
        for program in ["ls", "/bin/", "/bin/../x", "/opt/bin/ls", "./bin/ls", "/usr/bin//ls", "bin/ls"] {
            assert_eq!(name_in_path(program), None, "{program}");
        }
    }

    #[test]
    fn what_people_write_is_read() {
        assert_eq!(split("  a\t\"b c\" d\\ e 'f'g "), Some(words(&["a", "b c", "d e", "fg"])));
        assert_eq!(split(r#""\"\\\x$" *"#), Some(words(&["\"\\\\x$", "*"])));
        assert_eq!(split(""), Some(vec![]));
        assert_eq!(split("''"), Some(words(&[""])));
    }

    #[test]
    fn what_is_not_one_command_is_not_read() {
        for text in ["'a", "\"a", "\"a\\", "a\\", "a\nb", "a\\\nb", "a\r"] {
            assert_eq!(split(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn split_is_the_inverse_of_join(list in prop::collection::vec("[a-zA-Z0-9 '\"\\\\\n\t*$~é-]{0,8}|\\PC{0,6}", 0..6)) {
            prop_assert_eq!(split(&join(&list)), Some(list));
        }

        #[test]
        fn any_text_is_read_or_refused_and_has_one_canonical_spelling(text in "[a-c '\"\\\\\n\t]{0,24}") {
            if let Some(list) = split(&text) {
                let canonical = join(&list);
                prop_assert_eq!(split(&canonical), Some(list.clone()));
                prop_assert_eq!(join(&list), canonical);
            }
        }
    }
}
