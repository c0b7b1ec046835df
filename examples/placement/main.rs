//! Which peer would own which cluster? A fleet on paper, and what a change of it would move.
//!
//! ```console
//! cargo run --example placement                              # 3 peers of a StatefulSet, 1,000 clusters
//! cargo run --example placement -- --peers 5 --clusters 200 --svg shares.svg
//! cargo run --example placement -- --sweep --peers 50 --clusters 10000 --svg sizes.svg
//! cargo run --example placement -- --peer big=4 --peer small-0 --peer small-1 --file clusters.txt
//! ```
//!
//! A file has one cluster on each line: its name, and the number of its objects where that is known.

mod fleet;
mod plot;
mod sweep;
mod table;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use fleet::Fleet;
use multicluster::{Error, Report};
use sweep::Sweep;

/// Shows the shares of peers, and what moves when one joins or leaves, for each placement.
#[derive(Debug, Parser)]
#[command(name = "placement")]
struct Cli {
    /// So many peers, named as a StatefulSet names them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=10_000), conflicts_with = "peer")]
    peers: u32,
    /// A peer, as NAME or NAME=WEIGHT; can be given several times
    #[arg(long, value_name = "NAME[=WEIGHT]")]
    peer: Vec<String>,
    /// So many clusters, named ns-00000 and so on
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(..=1_000_000), conflicts_with = "file")]
    clusters: u32,
    /// Clusters from a file, one name on each line, with the number of its objects behind it if that is known
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Every number of peers from 2 to --peers
    #[arg(long, conflicts_with = "peer")]
    sweep: bool,
    /// Writes a plot
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", Report(&error));
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<(), Error> {
    let mut fleet = Fleet::default();
    match &cli.peer[..] {
        [] => (0..cli.peers)
            .try_for_each(|number| fleet.peer(&format!("sharded-namespace-{number}")))?,
        peers => peers.iter().try_for_each(|peer| fleet.peer(peer))?,
    }
    match &cli.file {
        None => {
            (0..cli.clusters).try_for_each(|number| fleet.cluster(&format!("ns-{number:05}")))?
        }
        Some(path) => {
            let wrong =
                |error| Error::setting(format!("{} cannot be read: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(wrong)?;
            text.lines()
                .filter(|line| !line.trim().is_empty())
                .try_for_each(|line| fleet.cluster(line))?;
        }
    }
    let svg = if cli.sweep {
        let sweep = Sweep::run(&fleet, cli.peers)?;
        sweep.print();
        sweep.svg()
    } else {
        let outcomes: Vec<_> = fleet::placements()
            .into_iter()
            .map(|(name, empty)| fleet.play(name, empty))
            .collect();
        table::print(&fleet, &outcomes);
        plot::svg(&fleet, &outcomes)
    };
    if let Some(path) = &cli.svg {
        let wrong =
            |error| Error::setting(format!("{} cannot be written: {error}", path.display()));
        std::fs::write(path, svg).map_err(wrong)?;
        println!("\nThe plot is in {}.", path.display());
    }
    Ok(())
}
