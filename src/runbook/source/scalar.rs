//! Plain scalars: which of them are not text.
//!
//! Narrower than YAML's core schema: `yes`, `on`, `True`, `0x1f`, `007`, `1_000` and `.inf` are text, so that nothing a
//! person means as text is changed silently. Where a number or a boolean is wanted, the check says so.

use std::borrow::Cow;

use super::Value;

pub(super) fn plain(text: Cow<'_, str>) -> Value<'_> {
    match &*text {
        "" | "~" | "null" => return Value::Null,
        "true" => return Value::Boolean(true),
        "false" => return Value::Boolean(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return Value::Text(text);
    }
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if has_leading_zero || !is_number {
        return Value::Text(text);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit is text: a shortened number would be another number.
        return text.parse().map_or(Value::Text(text), Value::Integer);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Decimal(number),
        Ok(_) | Err(_) => Value::Text(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_and_two_words_are_not_text() {
        assert_eq!(plain("12".into()), Value::Integer(12));
        assert_eq!(plain("-3".into()), Value::Integer(-3));
        assert_eq!(plain("0".into()), Value::Integer(0));
        assert_eq!(plain("1.5".into()), Value::Decimal(1.5));
        assert_eq!(plain("0.5e3".into()), Value::Decimal(500.0));
        assert_eq!(plain("~".into()), Value::Null);
        for text in
            ["yes", "True", "007", "0x1f", "1_000", ".inf", "1e999", "90m", "1.1.1.1", "-", "99999999999999999999"]
        {
            assert_eq!(plain(text.into()), Value::Text(text.into()), "{text}");
        }
    }
}
