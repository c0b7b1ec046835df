//! Fleets of every size: how far the busiest peer is above the mean, and what one more peer moves.

use std::fmt::Write;

use multicluster::Error;

use crate::fleet::{self, Fleet, Outcome};

const COLORS: [&str; 4] = ["#4477aa", "#66ccee", "#ccbb44", "#ee6677"];
const WIDTH: f64 = 660.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 60.0;

/// One value of every fleet, for each placement.
struct Chart {
    title: &'static str,
    top: f64,
    highest: f64,
    lines: Vec<Vec<f64>>,
    /// What could not be better.
    ideal: Vec<f64>,
}

/// Fleets of `2..=peers` peers of a StatefulSet.
pub(crate) struct Sweep {
    clusters: usize,
    fleets: Vec<Vec<Outcome>>,
}

// === impl Sweep ===

impl Sweep {
    /// Places the clusters of `fleet` on every number of peers.
    pub(crate) fn run(fleet: &Fleet, peers: u32) -> Result<Self, Error> {
        let mut fleets = Vec::new();
        let mut growing = Fleet {
            clusters: fleet.clusters.clone(),
            ..Fleet::default()
        };
        growing.peer("sharded-namespace-0")?;
        for number in 1..peers.max(2) {
            growing.peer(&format!("sharded-namespace-{number}"))?;
            let placements = fleet::placements().into_iter();
            let outcomes = placements.map(|(name, empty)| growing.play(name, empty));
            fleets.push(outcomes.collect());
        }
        Ok(Self {
            clusters: fleet.clusters.len(),
            fleets,
        })
    }

    pub(crate) fn print(&self) {
        println!(
            "{} clusters; the busiest peer beside the mean, and the share of clusters that one more peer moves\n",
            self.clusters
        );
        print!("{:>6}", "peers");
        for outcome in self.fleets.iter().take(1).flatten() {
            print!("{:>28}", outcome.name);
        }
        println!("{:>10}", "ideal");
        for (outcomes, peers) in self.fleets.iter().zip(2_u32..) {
            if ![2, 3, 4, 5, 7, 10, 20, 50, 100].contains(&peers) {
                continue;
            }
            print!("{peers:>6}");
            for outcome in outcomes {
                print!("{:>18.2}x {:>6.1} %", outcome.excess, outcome.joins * 100.0);
            }
            println!("{:>8.1} %", 100.0 / f64::from(peers + 1));
        }
    }

    pub(crate) fn svg(&self) -> String {
        let placements = self.fleets.first().map_or(0, Vec::len);
        let line = |value: &dyn Fn(&Outcome) -> f64| {
            let of = |place: usize| {
                self.fleets
                    .iter()
                    .map(|fleet| value(&fleet[place]))
                    .collect()
            };
            (0..placements).map(of).collect::<Vec<Vec<f64>>>()
        };
        let sizes = (2_u32..).take(self.fleets.len());
        let charts = [
            Chart {
                title: "clusters of the busiest peer, beside the mean",
                top: 60.0,
                highest: 7.0,
                lines: line(&|outcome| outcome.excess),
                ideal: vec![1.0; self.fleets.len()],
            },
            Chart {
                title: "clusters that move when one more peer joins, %",
                top: 360.0,
                highest: 60.0,
                lines: line(&|outcome| outcome.joins * 100.0),
                ideal: sizes.map(|peers| 100.0 / f64::from(peers + 1)).collect(),
            },
        ];
        let mut text = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 640\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        );
        for (outcome, place) in self.fleets.iter().take(1).flatten().zip(0..) {
            let x = LEFT + f64::from(place) * 165.0;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "<text x=\"{x}\" y=\"24\" fill=\"{}\" font-weight=\"bold\">{}</text>",
                color(place as usize),
                outcome.name
            );
        }
        for chart in &charts {
            chart.draw(&mut text);
        }
        let _ = writeln!(
            text,
            "<text x=\"{LEFT}\" y=\"625\" fill=\"#555\">peers, from 2 to {}; {} clusters; dashed: the ideal</text>\n</svg>",
            self.fleets.len() + 1,
            self.clusters
        );
        text
    }
}

// === impl Chart ===

impl Chart {
    fn draw(&self, text: &mut String) {
        let bottom = self.top + HEIGHT;
        let _ = writeln!(
            text,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>\n<path d=\"M{LEFT},{} V{bottom} H{}\" fill=\"none\" stroke=\"#999\"/>",
            self.top - 8.0,
            self.title,
            self.top,
            LEFT + WIDTH
        );
        for part in 0..=2 {
            let value = self.highest * f64::from(part) / 2.0;
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 6.0,
                self.y(value) + 4.0
            );
        }
        for (line, place) in self.lines.iter().zip(0..) {
            self.line(
                text,
                line,
                &format!("stroke=\"{}\" stroke-width=\"2\"", color(place)),
            );
        }
        self.line(
            text,
            &self.ideal,
            "stroke=\"black\" stroke-dasharray=\"4 4\"",
        );
    }

    fn line(&self, text: &mut String, values: &[f64], style: &str) {
        let step = WIDTH / values.len().saturating_sub(1).max(1) as f64;
        let point = |(value, place): (&f64, u32)| {
            format!(
                "{:.1},{:.1}",
                LEFT + f64::from(place) * step,
                self.y(*value)
            )
        };
        let points: Vec<_> = values.iter().zip(0..).map(point).collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" {style}/>",
            points.join(" ")
        );
    }

    fn y(&self, value: f64) -> f64 {
        self.top + HEIGHT * (1.0 - value.min(self.highest) / self.highest)
    }
}

fn color(place: usize) -> &'static str {
    COLORS[place % COLORS.len()]
}
