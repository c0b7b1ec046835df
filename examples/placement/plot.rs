//! The shares as bars, in SVG.

use std::fmt::Write;

use crate::fleet::{Fleet, Outcome};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 110.0;
const LEFT: f64 = 60.0;

/// One row of bars for each placement; a line marks what a peer of mean weight is entitled to.
pub(crate) fn svg(fleet: &Fleet, outcomes: &[Outcome]) -> String {
    let tallest = outcomes
        .iter()
        .flat_map(|outcome| &outcome.shares)
        .copied()
        .fold(0.01, f64::max);
    let rows = outcomes
        .iter()
        .zip(0_u32..)
        .map(|(outcome, row)| bars(outcome, f64::from(row) * (HEIGHT + 50.0) + 30.0, tallest));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}<text x=\"{LEFT}\" y=\"{}\" fill=\"#555\">\
         {} clusters on {} peers; the line is the mean share</text>\n</svg>\n",
        WIDTH + LEFT + 20.0,
        outcomes.len() as f64 * (HEIGHT + 50.0) + 40.0,
        rows.collect::<String>(),
        outcomes.len() as f64 * (HEIGHT + 50.0) + 24.0,
        fleet.clusters.len(),
        fleet.peers.len(),
    )
}

fn bars(outcome: &Outcome, top: f64, tallest: f64) -> String {
    let mut text = String::new();
    let (bottom, count) = (top + HEIGHT, outcome.shares.len().max(1) as f64);
    let step = WIDTH / count;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        top - 8.0,
        outcome.name
    );
    for (share, index) in outcome.shares.iter().zip(0_u32..) {
        let (x, height) = (LEFT + f64::from(index) * step, share / tallest * HEIGHT);
        let _ = writeln!(
            text,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#4477aa\"/>",
            bottom - height,
            (step * 0.85).max(0.5),
        );
    }
    let mean = bottom - HEIGHT / count / tallest;
    let right = LEFT + WIDTH;
    let _ = writeln!(
        text,
        "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{mean:.1}\" y2=\"{mean:.1}\" stroke=\"#cc3311\"/>"
    );
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{bottom:.1}\" text-anchor=\"end\">0</text>",
        LEFT - 6.0
    );
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
        LEFT - 6.0,
        top + 10.0,
        tallest * 100.0
    );
    text
}
