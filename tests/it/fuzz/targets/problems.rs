//! What every list of an author's mistakes keeps, whatever the file.

use lifeboat::runbook::Problems;

/// `secret`: somebody may have written one into the file, so no line of it may be drawn.
pub fn hold(problems: &Problems, bytes: &[u8], secret: bool) {
    let mut before = 0;
    assert!(problems.iter().next().is_some(), "refused without a reason");
    for problem in problems {
        assert!(!problem.message.trim().is_empty(), "{problem:?}");
        assert!(!problem.help.trim().is_empty(), "no remedy: {problem:?}");
        assert!(problem.hides_source || !secret, "the line would be drawn: {problem:?}");
        let place = problem.place.as_ref().unwrap_or_else(|| panic!("no place: {problem:?}"));
        let text = place.source.text();
        assert!(place.line >= 1 && place.column >= 1, "{problem:?}");
        assert!(place.line as usize <= bytes.split(|byte| *byte == b'\n').count(), "{problem:?}");
        assert!(text.get(place.span.clone()).is_some(), "the place is not in the text: {problem:?}");
        assert!(before <= place.span.start, "not in the order of the file: {problem:?}");
        before = place.span.start;
    }
    for colour in [false, true] {
        assert!(problems.render(colour).ends_with('\n'));
    }
    assert!(problems.to_json().is_array());
}
