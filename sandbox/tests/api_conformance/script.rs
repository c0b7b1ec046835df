//! The cases as they are written.
//!
//! ```text
//! ### a stale version is refused
//! # A comment.
//! POST {{core}}/configmaps
//! {"metadata": {"name": "lion"}}
//! > old = /metadata/resourceVersion
//!
//! PUT {{core}}/configmaps/lion?fieldManager=keeper
//! Content-Type: application/yaml
//! metadata: {name: lion, resourceVersion: "{{old}}"}
//! ```
//!
//! Paragraphs are requests: method and path, headers, body, and lines with `>` that say what to do with the answer:
//! - `> NAME = /pointer` keeps a value of the body for later requests, as `{{NAME}}`.
//! - `> events 3` reads so many events of a watch; without it, a watch is read to its end.
//! - `> through NAME` reads the events of a watch up to the first one about an object of that name.
//! - `> open NAME` leaves a watch open; a later paragraph `READ NAME 3` reads events from it.
//! - `> until 200` repeats the request until that code comes, for what kube-apiserver does in the background.
//! - `> ignore /pointer` leaves a value of the body out, which kube-apiserver changes in the background.
//! - `> only /pointer/to/list key=one,two` compares only the items of the list whose field has one of the values, or, with
//!   `*` as the key, the fields of a map with these names; in the pointer, `*` stands for every item.
//!
//! `{{ns}}` is the namespace of the case, and `{{core}}`, `{{apps}}`, `{{leases}}`, `{{rbac}}`, `{{policy}}` and `{{events}}` are the
//! paths of groups in it. A body `@pad 1000 JSON` is the JSON with `#` replaced by so many letters, `@base64 TEXT` is
//! binary, and `@empty` is a body of no bytes. A header `Agent: name` is short for a User-Agent.

use std::{env, fs, path::PathBuf};

/// A named sequence of requests.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The file that it stands in.
    pub(crate) topic: String,
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One paragraph.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Request(Box<Request>),
    /// Reads events from an open watch.
    Read {
        watch: String,
        events: usize,
    },
}

/// A request, with variables in it, and what to do with its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Variables and the pointers to their values.
    pub(crate) keep: Vec<(String, String)>,
    pub(crate) only: Vec<Only>,
    /// Pointers to what is not compared.
    pub(crate) ignore: Vec<String>,
    pub(crate) events: Option<usize>,
    pub(crate) through: Option<String>,
    pub(crate) open: Option<String>,
    pub(crate) until: Option<u16>,
}

/// The items of a list, or fields of a map, that are compared.
#[derive(Clone, Debug)]
pub(crate) struct Only {
    pub(crate) pointer: String,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

// === impl Case ===

impl Case {
    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.topic, self.name)
    }
}

// === impl Step ===

impl Step {
    /// What is asked, in one line.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Request(request) => format!("{} {}", request.method, request.path),
            Self::Read { watch, events } => format!("READ {watch} {events}"),
        }
    }
}

/// The cases that the variable `CASES` selects, or all.
pub(crate) fn read() -> Vec<Case> {
    let wanted = env::var("CASES").unwrap_or_default();
    let cases = read_all().into_iter();
    cases
        .filter(|case| case.title().contains(&wanted))
        .collect()
}

/// All cases, in the order of their files.
pub(crate) fn read_all() -> Vec<Case> {
    let folder = fs::read_dir(folder("cases")).expect("the folder of the cases");
    let mut files: Vec<_> = folder.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let topic = file.file_stem().expect("a name").to_string_lossy();
        parse(&topic, &fs::read_to_string(file).expect("a readable file"))
    };
    files.iter().flat_map(read).collect()
}

/// A folder of the suite.
pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/api_conformance")
        .join(name)
}

/// The cases of a text.
pub(crate) fn parse(topic: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut paragraph = Vec::new();
    for line in text.lines().chain([""]) {
        if let Some(name) = line.strip_prefix("### ") {
            cases.push(Case {
                topic: topic.to_owned(),
                name: name.trim().to_owned(),
                steps: Vec::new(),
            });
        } else if line.trim().is_empty() {
            if !paragraph.is_empty() {
                let case = cases.last_mut().expect("a request follows a title");
                case.steps.push(parse_step(&paragraph));
                paragraph.clear();
            }
        } else if !line.starts_with('#') {
            paragraph.push(line);
        }
    }
    cases
}

fn parse_step(lines: &[&str]) -> Step {
    let (method, path) = lines[0].split_once(' ').expect("METHOD /path");
    if method == "READ" {
        let (watch, events) = path.split_once(' ').expect("READ name count");
        let events = events.trim().parse().expect("a count");
        let watch = watch.to_owned();
        return Step::Read { watch, events };
    }
    let mut request = Request {
        method: method.to_owned(),
        path: path.trim().to_owned(),
        ..Request::default()
    };
    for line in &lines[1..] {
        if let Some(directive) = line.strip_prefix("> ") {
            request.direct(directive.trim());
        } else if let Some((name, value)) = header(line).filter(|_| request.body.is_empty()) {
            let header = match name {
                "Agent" => "User-Agent",
                name => name,
            };
            request.headers.push((header.to_owned(), value.to_owned()));
        } else {
            if !request.body.is_empty() {
                request.body.push('\n');
            }
            request.body.push_str(line);
        }
    }
    Step::Request(Box::new(request))
}

/// A header: the name begins with a capital letter, which tells it from YAML.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(": ")?;
    let letters = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase());
    (is_name && name.bytes().all(letters)).then_some((name, value.trim()))
}

// === impl Request ===

impl Request {
    fn direct(&mut self, directive: &str) {
        if let Some((name, pointer)) = directive.split_once(" = ") {
            self.keep.push((name.to_owned(), pointer.to_owned()));
            return;
        }
        let (word, rest) = directive.split_once(' ').expect("a word and a value");
        match word {
            "events" => self.events = Some(rest.parse().expect("a count")),
            "through" => self.through = Some(rest.to_owned()),
            "ignore" => self.ignore.push(rest.to_owned()),
            "open" => self.open = Some(rest.to_owned()),
            "until" => self.until = Some(rest.parse().expect("a code")),
            "only" => {
                let (pointer, rest) = rest.split_once(' ').expect("/pointer key=values");
                let (key, values) = rest.split_once('=').expect("key=values");
                self.only.push(Only {
                    pointer: pointer.to_owned(),
                    key: key.to_owned(),
                    values: values.split(',').map(str::to_owned).collect(),
                });
            }
            _ => panic!("no directive: {directive}"),
        }
    }
}
