//! The closing table: nanoseconds of ours, and how many times as long the others take.

/// The medians of all functions of all groups.
#[derive(Default)]
pub(crate) struct Report {
    groups: Vec<Group>,
}

struct Group {
    name: String,
    units: usize,
    /// The functions with their seconds for one round.
    functions: Vec<(String, f64)>,
}

impl Report {
    /// Begins a group, whose times are for so many units.
    pub(crate) fn open(&mut self, name: &str, units: usize) {
        let (name, functions) = (name.to_owned(), Vec::new());
        self.groups.push(Group {
            name,
            units,
            functions,
        });
    }

    /// Adds what was measured; a function that was filtered out has no samples.
    pub(crate) fn add(&mut self, group: &str, function: &str, mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        let median = samples.get(samples.len() / 2);
        let group = self.groups.iter_mut().find(|known| known.name == group);
        if let (Some(group), Some(median)) = (group, median) {
            group.functions.push((function.to_owned(), *median));
        }
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        const OTHERS: [&str; 4] = ["multicluster-scalar", "hrw-hash", "hashring", "go-formula"];
        println!(
            "\n{:<24}{:>14}{}",
            "",
            "multicluster",
            OTHERS.map(|name| format!("{name:>21}")).concat()
        );
        for group in &self.groups {
            let Some(ours) = group.seconds("multicluster") else {
                continue;
            };
            let ratio = |other: &str| match group.seconds(other) {
                Some(theirs) => format!("{:>20.1}x", theirs / ours),
                None => format!("{:>21}", "-"),
            };
            let each = ours * 1e9 / group.units as f64;
            println!(
                "{:<24}{each:>11.3} ns{}",
                group.name,
                OTHERS.map(ratio).concat()
            );
        }
        println!(
            "(multicluster: time for one pair of a cluster and a peer, for one cluster in join and leave; the others: times that)"
        );
    }
}

impl Group {
    fn seconds(&self, function: &str) -> Option<f64> {
        let found = self.functions.iter().find(|(name, _)| name == function);
        found.map(|(_, seconds)| *seconds)
    }
}
