use crate::mapping::fold::fold;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Integers up to here are exact as `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// One value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Number(&'a Number),
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// A value, if it is one: not `null`, not empty, no list and no object.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// As text: numbers and truth values as JSON writes them, whole numbers without a fraction.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number_text(number)),
        }
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() <= MAX_EXACT => {
            format!("{value:.0}")
        }
        _ => number.to_string(),
    }
}

fn numbers_agree(one: &Number, other: &Number) -> bool {
    one == other || number_text(one) == number_text(other)
}

/// How values are compared with the literals of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Same type, same value.
    Typed,
    /// Same text, whatever the type.
    Text,
    /// Same text after folding, whatever the type: how denials compare.
    Folded,
}

/// The literals that an operator lists.
#[derive(Debug, Clone)]
pub(crate) struct Literals {
    comparison: Comparison,
    texts: BTreeSet<String>,
    others: Vec<Value>,
    /// As they were written, for explanations.
    pub(crate) written: Vec<Value>,
}

impl Literals {
    pub(crate) fn new(written: Vec<Value>, comparison: Comparison) -> Self {
        let mut texts = BTreeSet::new();
        let mut others = Vec::new();
        for value in &written {
            let Some(scalar) = Scalar::of(value) else { continue };
            match (comparison, scalar) {
                (Comparison::Folded, _) => drop(texts.insert(fold(&scalar.text()).into_owned())),
                (Comparison::Text, _) | (Comparison::Typed, Scalar::Text(_)) => {
                    texts.insert(scalar.text().into_owned());
                }
                (Comparison::Typed, Scalar::Number(_) | Scalar::Bool(_)) => others.push(value.clone()),
            }
        }
        Self {
            comparison,
            texts,
            others,
            written,
        }
    }

    pub(crate) fn contain(&self, value: Scalar<'_>) -> bool {
        match (self.comparison, value) {
            (Comparison::Folded, value) => self.texts.contains(fold(&value.text()).as_ref()),
            (Comparison::Typed, Scalar::Text(text)) => self.texts.contains(text),
            (Comparison::Text, value) => self.texts.contains(value.text().as_ref()),
            (Comparison::Typed, Scalar::Number(number)) => self
                .others
                .iter()
                .any(|other| matches!(other, Value::Number(other) if numbers_agree(other, number))),
            (Comparison::Typed, Scalar::Bool(truth)) => self.others.contains(&Value::Bool(truth)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_count_where_values_are_permitted_and_not_where_they_are_denied() {
        let cases = [
            (json!(true), json!("true"), false),
            (json!(true), json!(true), true),
            (json!("5"), json!(5), false),
            (json!(5), json!(5.0), true),
            (json!(5), json!(6), false),
            (json!("a"), json!("A"), false),
            (json!("a"), json!("a"), true),
        ];
        for (literal, value, typed) in cases {
            let contain = |comparison| {
                Literals::new(vec![literal.clone()], comparison).contain(Scalar::of(&value).unwrap())
            };
            assert_eq!(contain(Comparison::Typed), typed, "{literal} {value}");
            assert_eq!(
                contain(Comparison::Folded),
                value != json!(6),
                "{literal} {value}"
            );
        }
        for nothing in [json!(null), json!(""), json!(["a"]), json!({"a": 1})] {
            assert_eq!(Scalar::of(&nothing), None);
        }
    }
}
