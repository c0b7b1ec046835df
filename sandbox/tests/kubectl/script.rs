//! What is typed: files that read like a session in a terminal.
//!
//! ```text
//! # A remark.
//! $ kubectl create configmap elephant --from-literal=food=grass
//!
//! $ cat >zoo.yaml <<EOF
//! apiVersion: v1
//! EOF
//!
//! ! The reason why the next command differs.
//! $ kubectl apply -f zoo.yaml
//! ```
//!
//! A command goes on until the next line that starts with `$ `, `# ` or `! `.

use std::{env, fs, path::Path};

/// The commands of one file.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The name of the file, and of the namespace.
    pub(crate) name: String,
    pub(crate) commands: Vec<Command>,
}

/// What is typed at one prompt.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) text: String,
    /// Why the servers answer otherwise.
    pub(crate) differs: Option<String>,
}

/// All scripts in the order of their names, or those that `SCRIPTS` asks for.
pub(crate) fn read() -> Vec<Script> {
    let wanted = env::var("SCRIPTS").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubectl/scripts");
    let files = fs::read_dir(folder).expect("the folder of the scripts");
    let mut scripts: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").display().to_string();
            let text = fs::read_to_string(path).expect("a script");
            let commands = parse(&text);
            Script { name, commands }
        })
        .filter(|script| script.name.contains(&wanted))
        .collect();
    scripts.sort_by(|left, right| left.name.cmp(&right.name));
    assert!(!scripts.is_empty(), "no script is called {wanted}");
    scripts
}

fn parse(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut differs = None;
    let mut open = false;
    for line in text.lines() {
        if let Some(reason) = line.strip_prefix("! ") {
            differs = Some(reason.to_owned());
            open = false;
        } else if let Some(text) = line.strip_prefix("$ ") {
            let (text, differs) = (text.to_owned(), differs.take());
            commands.push(Command { text, differs });
            open = true;
        } else if line.starts_with("# ") {
            open = false;
        } else if let (true, Some(command)) = (open, commands.last_mut()) {
            command.text.push('\n');
            command.text.push_str(line);
        }
    }
    for command in &mut commands {
        command.text.truncate(command.text.trim_end().len());
    }
    commands
}
