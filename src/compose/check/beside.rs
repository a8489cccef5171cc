//! Where a translation says what stands in a line of its original: both are written paragraph by paragraph.

/// The line of `own` that stands for a line of `original`, or where it would stand if a paragraph is
/// missing. `None` where the headings are not the same in number.
pub(super) fn line_beside(original: &str, own: &str, line: usize) -> Option<usize> {
    let (original, own) = (sections(original), sections(own));
    if original.len() != own.len() {
        return None;
    }
    let begins_before = |section: &Vec<Paragraph>| section.first().is_some_and(|p| p.first <= line);
    let at = original.iter().rposition(begins_before)?;
    let (original, own) = (original.get(at)?, own.get(at)?);
    let at = original.iter().rposition(|one| one.first <= line)?;
    let (original, own) = (original.get(at)?, own.get(at).or(own.last())?);
    let below = match original.lines == own.lines {
        true => (line - original.first).min(own.lines - 1),
        false => 0,
    };
    Some(own.first + below)
}

/// Lines without an empty one between them.
struct Paragraph {
    first: usize,
    lines: usize,
}

/// Each with its heading; what stands before the first heading is one, too.
fn sections(text: &str) -> Vec<Vec<Paragraph>> {
    let mut sections: Vec<Vec<Paragraph>> = vec![Vec::new()];
    let mut is_open = false;
    for (line, words) in (1..).zip(text.lines()) {
        let is_blank = words.trim().is_empty();
        if words.starts_with('#') {
            sections.push(Vec::new());
            is_open = false;
        }
        if let (false, Some(section)) = (is_blank, sections.last_mut()) {
            match section.last_mut().filter(|_| is_open) {
                Some(paragraph) => paragraph.lines += 1,
                None => section.push(Paragraph {
                    first: line,
                    lines: 1,
                }),
            }
        }
        is_open = !is_blank;
    }
    sections.retain(|section| !section.is_empty());
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_heading_and_its_paragraph() {
        let english = "Dear\n\nfirst\n\n# One\n\n{{a}}\n\n- {{b}}\n- {{c}}\n\n# Two\n{{d}}\n";
        // Built alike, with more air.
        let alike = "\n\nCara\n\nprima\n\n\n# Unum\n\nx\n\n- y\n- z\n\n# Duo\nw\n";
        for (line, beside) in [(1, 3), (3, 5), (7, 10), (9, 12), (10, 13), (13, 16)] {
            assert_eq!(line_beside(english, alike, line), Some(beside), "{line}");
        }
        // The list is of three lines.
        let other = "Cara\n\nprima\n\n# Unum\n\nx\n\n- y\n- z\n- zz\n\n# Duo\n";
        assert_eq!(line_beside(english, other, 10), Some(9));
        // A paragraph is gone: before the one that follows it, or at the end.
        let shorter = "Cara\n\nprima\n\n# Unum\n\n- y\n- z\n\n# Duo\n";
        assert_eq!(line_beside(english, shorter, 7), Some(7));
        assert_eq!(line_beside(english, shorter, 10), Some(8));
        assert_eq!(line_beside(english, "Cara\n\n# Unum\n", 10), None);
        assert_eq!(line_beside("{{a}}", "", 1), None);
    }
}
