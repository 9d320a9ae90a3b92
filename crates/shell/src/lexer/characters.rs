//! Characters that no text may hold, quoted or not.

use super::Why;

/// Refuses what a person who approves the text would not see, and what a terminal or a shell acts on: control characters other than tab and
/// newline, blanks that are not ASCII, and characters that change direction or have no width.
pub(crate) fn check(text: &str) -> Result<(), Why> {
    match text.chars().find(|letter| is_refused(*letter)) {
        None => Ok(()),
        Some('\r') => Err("a carriage return".into()),
        Some('\0') => Err("a NUL".into()),
        Some(letter) if letter.is_control() => Err("a control character".into()),
        Some(_) => Err("a blank or invisible character outside of ASCII".into()),
    }
}

fn is_refused(letter: char) -> bool {
    match letter {
        '\t' | '\n' => false,
        // Soft hyphen, blanks, marks of direction, joiners, tags and fillers: Unicode's White_Space and Default_Ignorable_Code_Point.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{ffa0}' => true,
        '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' => true,
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control() || (other != ' ' && other.is_whitespace()),
    }
}
