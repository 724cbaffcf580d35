//! Rust source with parts of it blanked out, so that a rule does not read what it is not about.

/// The text without comments and without what stands in quotes.
pub fn code(text: &str) -> String {
    blank(text, true)
}

/// The text without comments; strings stay.
pub fn without_comments(text: &str) -> String {
    blank(text, false)
}

/// What ships: code outside `#[cfg(test)]`.
pub fn product(text: &str) -> String {
    code(&without_tests(text))
}

/// The text without the items that are marked `#[cfg(test)]`.
pub fn without_tests(text: &str) -> String {
    let code = code(text);
    let mut kept = text.to_owned();
    for (start, _) in code.match_indices("#[cfg(test)]").collect::<Vec<_>>().into_iter().rev() {
        let end = end_of_item(&code, start);
        kept.replace_range(start..end, "");
    }
    kept
}

/// Every function that has a body, with the lines from its name to its closing brace.
pub fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        if code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let name: String = code[start + 3..]
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect();
        let end = end_of_item(code, start);
        if !name.is_empty() && code[..end].ends_with('}') {
            found.push((name, code[start..end].lines().count()));
        }
    }
    found
}

/// Where the item that begins at `start` ends: after its body, or after its semicolon.
fn end_of_item(code: &str, start: usize) -> usize {
    let mut depth = 0usize;
    for (at, character) in code[start..].char_indices() {
        match character {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && character == '}' {
                    let end = start + at + 1;
                    return if code[end..].starts_with(';') { end + 1 } else { end };
                }
            }
            ';' if depth == 0 => return start + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Replaces comments, and strings where asked to, by spaces; what is left stays where it was.
fn blank(text: &str, strings: bool) -> String {
    let bytes = text.as_bytes();
    let mut kept = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let (length, is_string) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), false)
        } else {
            (literal(rest), true)
        };
        if length > 0 && (!is_string || strings) {
            let (first, last) = if is_string { (at + 1, at + length - 1) } else { (at, at + length) };
            kept[first..last].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at += length.max(rest.chars().next().map_or(1, char::len_utf8));
    }
    String::from_utf8(kept).unwrap()
}

/// How long the string or character literal is that the text begins with; zero where it begins with none.
fn literal(text: &str) -> usize {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = 1 + hashes + 1;
            return text[body..].find(&close).map_or(text.len(), |end| body + end + close.len());
        }
        return 0;
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    // A lifetime begins like a character; only a character ends.
    let character = text.starts_with("'\\") || text.chars().nth(2) == Some('\'');
    if text.starts_with('\'') && character { quoted(text, '\'') } else { 0 }
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return at + 1;
        }
        escaped = character == '\\' && !escaped;
    }
    text.len()
}

#[test]
fn comments_and_strings_are_blanked() {
    assert_eq!(code("a // b\nc"), "a     \nc");
    assert_eq!(code(r#"f("a\"//b", 'x', '\'') + 'a"#), r#"f("      ", ' ', '  ') + 'a"#);
    assert_eq!(code("r#\"\"x\"#, b\"y\""), "r     #, b\" \"");
    assert_eq!(without_comments("\"{:?}\" /* {:?} */"), "\"{:?}\"           ");
}

#[test]
fn tests_are_left_out() {
    assert_eq!(without_tests("a;\n#[cfg(test)]\nmod tests { fn f() {} }\nb;"), "a;\n\nb;");
    assert_eq!(without_tests("#[cfg(test)]\nuse a::{b, c};\nd;"), "\nd;");
}

#[test]
fn functions_are_counted() {
    let text = "fn a() {\n  x();\n}\ntrait T { fn b(&self); fn c<const N: usize>(x: [u8; N]) -> u8 { 1 } }";
    assert_eq!(functions(text), [("a".to_owned(), 3), ("c".to_owned(), 1)]);
}
