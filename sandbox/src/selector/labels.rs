//! Label selectors as query parameters write them.

use std::collections::VecDeque;

use serde_json::Value;

use crate::{
    meta,
    rules::names,
    status::{ApiError, FieldError},
};

const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

/// A condition on one label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Exists,
    Missing,
    /// The label is there and has one of the values.
    In(Vec<String>),
    /// The label is missing or has another value.
    NotIn(Vec<String>),
    /// The label is a number that is greater.
    Above(i64),
    /// The label is a number that is smaller.
    Below(i64),
}

/// A piece of a selector.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    /// `(`, `)`, `,`, `!`, `=`, `==`, `!=`, `<` or `>`.
    Symbol(&'static str),
}

/// The pieces of a selector that are not yet read.
#[derive(Debug)]
struct Parser {
    tokens: VecDeque<Token>,
}

/// Reads a selector; an empty one has no conditions.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, ApiError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
    };
    let mut requirements = Vec::new();
    while let Some(first) = parser.tokens.front() {
        if !first.starts_requirement() {
            let found = first.text();
            return Err(refuse(format!(
                "found '{found}', expected: !, identifier, or 'end of string'"
            )));
        }
        let requirement = parser
            .requirement()
            .map_err(|why| refuse(format!("unable to parse requirement: {why}")))?;
        requirements.push(requirement);
        match parser.tokens.pop_front() {
            None => break,
            Some(Token::Symbol(",")) => {}
            Some(other) => {
                let found = other.text();
                return Err(refuse(format!(
                    "found '{found}', expected: ',' or 'end of string'"
                )));
            }
        }
        let next = parser.tokens.front();
        if next.is_none_or(|next| !next.starts_requirement()) {
            let found = next.map_or("", Token::text);
            return Err(refuse(format!(
                "found '{found}', expected: identifier after ','"
            )));
        }
    }
    Ok(requirements)
}

fn refuse(message: String) -> ApiError {
    ApiError::bad_request(message)
}

fn tokens(text: &str) -> Result<VecDeque<Token>, ApiError> {
    const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", "<", ">"];
    let mut tokens = VecDeque::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return Ok(tokens);
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push_back(Token::Symbol(symbol));
            rest = rest.get(symbol.len()..).unwrap_or_default();
            continue;
        }
        let ends = |letter: char| letter.is_whitespace() || "=!(),<>".contains(letter);
        let (word, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        if word.is_empty() {
            return Err(refuse(format!("found '{rest}', expected: identifier")));
        }
        tokens.push_back(Token::Word(word.to_owned()));
        rest = after;
    }
}

// === impl Token ===

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Symbol(symbol) => symbol,
        }
    }

    fn starts_requirement(&self) -> bool {
        matches!(self, Self::Word(_) | Self::Symbol("!"))
    }
}

// === impl Parser ===

impl Parser {
    fn requirement(&mut self) -> Result<Requirement, String> {
        let missing = self.tokens.front() == Some(&Token::Symbol("!"));
        if missing {
            self.tokens.pop_front();
        }
        let key = self.word("identifier")?;
        let wrong = names::qualified(&key);
        if !wrong.is_empty() {
            return Err(
                FieldError::invalid("<nil>", &Value::from(key), &wrong.join("; ")).to_string(),
            );
        }
        if missing {
            let test = Test::Missing;
            return Ok(Requirement { key, test });
        }
        let operator = match self.tokens.front() {
            None | Some(Token::Symbol(",")) => {
                let test = Test::Exists;
                return Ok(Requirement { key, test });
            }
            Some(operator) => operator.text().to_owned(),
        };
        self.tokens.pop_front();
        let values = match &*operator {
            "in" | "notin" => self.values()?,
            "=" | "==" | "!=" | "<" | ">" => vec![self.value()?],
            _ => return Err(format!("found '{operator}', expected: {OPERATORS}")),
        };
        let test = test(&key, &operator, values)?;
        Ok(Requirement { key, test })
    }

    fn word(&mut self, expected: &str) -> Result<String, String> {
        match self.tokens.pop_front() {
            Some(Token::Word(word)) => Ok(word),
            other => {
                let found = other.as_ref().map_or("", Token::text);
                Err(format!("found '{found}', expected: {expected}"))
            }
        }
    }

    /// One value; none before a comma or the end is an empty one.
    fn value(&mut self) -> Result<String, String> {
        match self.tokens.front() {
            None | Some(Token::Symbol(",")) => Ok(String::new()),
            Some(_) => self.word("identifier"),
        }
    }

    /// Values in parentheses, some of which may be empty.
    fn values(&mut self) -> Result<Vec<String>, String> {
        match self.tokens.pop_front() {
            Some(Token::Symbol("(")) => {}
            other => {
                let found = other.as_ref().map_or("", Token::text);
                return Err(format!("found '{found}' expected: '('"));
            }
        }
        let mut values = Vec::new();
        let mut last = None;
        loop {
            let token = self.tokens.pop_front();
            match (&token, &last) {
                (Some(Token::Word(word)), None | Some(Token::Symbol(_))) => {
                    values.push(word.clone())
                }
                (Some(Token::Symbol(",")), None | Some(Token::Symbol(_))) => {
                    values.push(String::new())
                }
                (Some(Token::Symbol(",")), Some(Token::Word(_))) => {}
                (Some(Token::Symbol(")")), last) => {
                    if !matches!(last, Some(Token::Word(_))) {
                        values.push(String::new());
                    }
                    values.sort_unstable();
                    values.dedup();
                    return Ok(values);
                }
                (other, last) => {
                    let found = other.as_ref().map_or("", Token::text);
                    let expected = match last {
                        None => "',', ')' or identifier",
                        Some(Token::Word(_)) => "',' or ')'",
                        Some(Token::Symbol(_)) => "',', or identifier",
                    };
                    return Err(format!("found '{found}', expected: {expected}"));
                }
            }
            last = token;
        }
    }
}

fn test(key: &str, operator: &str, values: Vec<String>) -> Result<Test, String> {
    let invalid = |path: String, value: &str, why: &str| {
        Err(FieldError::invalid(path, &Value::from(value), why).to_string())
    };
    if let "<" | ">" = operator {
        let value = values.first().map_or("", String::as_str);
        let Ok(number) = value.parse() else {
            let why = "for 'Gt', 'Lt' operators, the value must be an integer";
            return invalid("values[0]".to_owned(), value, why);
        };
        return Ok(if operator == "<" {
            Test::Below(number)
        } else {
            Test::Above(number)
        });
    }
    for (index, value) in values.iter().enumerate() {
        let wrong = names::label_value(value);
        if !wrong.is_empty() {
            return invalid(format!("values[{index}][{key}]"), value, &wrong.join("; "));
        }
    }
    Ok(match operator {
        "notin" | "!=" => Test::NotIn(values),
        _ => Test::In(values),
    })
}

// === impl Requirement ===

impl Requirement {
    pub(super) fn matches(&self, object: &Value) -> bool {
        let value = meta::label(object, &self.key);
        let among =
            |values: &[String]| value.is_some_and(|value| values.iter().any(|one| one == value));
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
            Test::Above(bound) => number().is_some_and(|number| number > *bound),
            Test::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}
