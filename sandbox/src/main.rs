//! `kube-sandbox`: serves a cluster in memory, for `kubectl` and other programs; see [`USAGE`].

use std::{error::Error, path::PathBuf};

use kube_sandbox::{Sandbox, Server};

const USAGE: &str = "\
kube-sandbox [--listen ADDRESS] [--kubeconfig FILE] [MANIFEST...]

Serves a Kubernetes API server in memory until Ctrl-C.

  --listen ADDRESS   where to listen; 127.0.0.1 and a free port unless told otherwise
  --kubeconfig FILE  where to write how to reach it, for kubectl
  MANIFEST           files with the objects to begin with, in YAML or JSON";

/// What the command line asks for.
struct Arguments {
    listen: String,
    kubeconfig: Option<PathBuf>,
    manifests: Vec<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = Arguments::read(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let sandbox = Sandbox::new();
    for path in &arguments.manifests {
        let named = |error: &dyn Error| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        sandbox.load([text]).map_err(|error| named(&error))?;
    }
    let server = sandbox.listen(&arguments.listen).await?;
    arguments.announce(&server)?;
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}

// === impl Arguments ===

impl Arguments {
    /// Reads the command line; `None` asks for help.
    fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            listen: "127.0.0.1:0".to_owned(),
            kubeconfig: None,
            manifests: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "-h" | "--help" => return Ok(None),
                "--listen" => arguments.listen = value()?,
                "--kubeconfig" => arguments.kubeconfig = Some(value()?.into()),
                flag if flag.starts_with('-') => {
                    return Err(format!("{flag} is not known\n\n{USAGE}"));
                }
                file => arguments.manifests.push(file.into()),
            }
        }
        Ok(Some(arguments))
    }

    /// Says how to reach the server.
    fn announce(&self, server: &Server) -> Result<(), Box<dyn Error>> {
        println!("{}", server.url());
        match &self.kubeconfig {
            Some(path) => {
                std::fs::write(path, serde_json::to_string_pretty(&server.kubeconfig())?)?;
                println!("kubectl --kubeconfig {} get namespaces", path.display());
            }
            None => println!("kubectl --server {} get namespaces", server.url()),
        }
        Ok(())
    }
}
