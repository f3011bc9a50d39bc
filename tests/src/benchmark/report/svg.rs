//! A chart of groups: a bar for each program with its range, and a dash for the goal. The picture brings its own background
//! and follows the reader's choice between light and dark.

use std::fmt::Write as _;

use super::scale::{Axis, Scale};
use crate::benchmark::samples::Summary;
use crate::benchmark::unit::Unit;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
/// The field of the bars: left, top, right and bottom edge.
const FIELD: (f64, f64, f64, f64) = (76.0, 64.0, 700.0, 312.0);

const STYLE: &str = "\
<style>
 .page { fill: #ffffff } .line { stroke: #d5d9de } .text { fill: #24292f; font: 13px system-ui, sans-serif }
 .keepalived { fill: #c4722a } .holdfast { fill: #2a78c4 } .range { stroke: #24292f; stroke-width: 1.5 } .goal { stroke: #2c8a4b; stroke-width: 3 }
 .title { font-size: 16px; font-weight: 600 } .small { font-size: 11px }
 @media (prefers-color-scheme: dark) {
  .page { fill: #14181d } .line { stroke: #353c45 } .text { fill: #e3e7ec } .keepalived { fill: #e0954f } .holdfast { fill: #5aa3e8 }
  .range { stroke: #e3e7ec } .goal { stroke: #57c47c }
 }
</style>
";

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    pub(super) unit: Unit,
    pub(super) groups: Vec<Group>,
}

/// One category: both programs, and the goal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) keepalived: Option<Summary>,
    pub(super) holdfast: Option<Summary>,
    pub(super) goal: Option<f64>,
}

impl Group {
    fn figures(&self) -> impl Iterator<Item = f64> {
        let programs = [self.keepalived, self.holdfast].into_iter().flatten();
        programs.flat_map(|summary| [summary.median, summary.least, summary.most]).chain(self.goal)
    }
}

/// The picture.
pub(super) fn draw(chart: &Chart) -> String {
    let figures: Vec<f64> = chart.groups.iter().flat_map(Group::figures).collect();
    let axis = Axis::of(chart.scale, &figures);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n{STYLE}\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
         <text class=\"text title\" x=\"16\" y=\"28\">{title}</text>\n",
        title = escape(chart.title),
    );
    legend(&mut svg);
    lines(&mut svg, &axis, chart.unit);
    let (left, _, right, _) = FIELD;
    let width = (right - left) / chart.groups.iter().map(|_| 1.0).sum::<f64>().max(1.0);
    let mut place = left;
    for group in &chart.groups {
        draw_group(&mut svg, group, &axis, chart.unit, place, width);
        place += width;
    }
    svg + "</svg>\n"
}

fn legend(svg: &mut String) {
    for (x, class, name) in [(16.0, "keepalived", "keepalived"), (122.0, "holdfast", "Holdfast")] {
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"39\" width=\"12\" height=\"12\"/>\n<text class=\"text\" x=\"{}\" y=\"50\">{name}</text>\n",
            x + 18.0
        );
    }
    svg.push_str("<line class=\"goal\" x1=\"216\" y1=\"45\" x2=\"234\" y2=\"45\"/>\n<text class=\"text\" x=\"240\" y=\"50\">goal</text>\n");
}

fn lines(svg: &mut String, axis: &Axis, unit: Unit) {
    let (left, _, right, _) = FIELD;
    for tick in axis.ticks() {
        let y = vertical(axis, tick);
        let _ = write!(
            svg,
            "<line class=\"line\" x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\n\
             <text class=\"text small\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            left - 8.0,
            y + 4.0,
            unit.show(tick)
        );
    }
}

fn draw_group(svg: &mut String, group: &Group, axis: &Axis, unit: Unit, left: f64, width: f64) {
    let (_, _, _, bottom) = FIELD;
    let centre = left + width / 2.0;
    let bar = (width * 0.22).min(52.0);
    for (class, x, summary) in
        [("keepalived", centre - bar - 4.0, group.keepalived), ("holdfast", centre + 4.0, group.holdfast)]
    {
        if let Some(summary) = summary {
            draw_bar(svg, class, axis, unit, summary, (x, bar));
        }
    }
    if let Some(goal) = group.goal {
        let y = vertical(axis, goal);
        let (from, to) = (centre - bar - 22.0, centre - bar - 8.0);
        let _ = writeln!(svg, "<line class=\"goal\" x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{to:.1}\" y2=\"{y:.1}\"/>");
    }
    let name = escape(&group.name);
    let _ = writeln!(
        svg,
        "<text class=\"text\" x=\"{centre:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
        bottom + 24.0
    );
}

fn draw_bar(svg: &mut String, class: &str, axis: &Axis, unit: Unit, summary: Summary, (x, width): (f64, f64)) {
    let (_, _, _, bottom) = FIELD;
    let [top, least, most] = [summary.median, summary.least, summary.most].map(|figure| vertical(axis, figure));
    let centre = x + width / 2.0;
    // A bar of nothing is a thin line, so that it is seen.
    let height = (bottom - top).max(1.5);
    let _ = write!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n\
         <line class=\"range\" x1=\"{centre:.1}\" y1=\"{least:.1}\" x2=\"{centre:.1}\" y2=\"{most:.1}\"/>\n\
         <text class=\"text small\" x=\"{centre:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
        bottom - height,
        most.min(bottom - height) - 5.0,
        unit.show(summary.median)
    );
}

fn vertical(axis: &Axis, figure: f64) -> f64 {
    let (_, top, _, bottom) = FIELD;
    bottom - (bottom - top) * axis.height(figure)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let summary = |median: f64| Some(Summary { median, least: median / 2.0, most: median * 2.0 });
        let groups = vec![
            Group { name: "A < 1 s".to_owned(), keepalived: summary(300.0), holdfast: summary(0.0), goal: Some(361.0) },
            Group { name: "100 ms".to_owned(), keepalived: None, holdfast: summary(30.0), goal: None },
        ];
        Chart { title: "Gap & more", scale: Scale::Logarithmic, unit: Unit::Milliseconds, groups }
    }

    #[test]
    fn a_chart_has_a_bar_for_each_program_a_dash_for_each_goal_and_well_formed_text() {
        let svg = draw(&chart());
        // One of each is in the legend.
        assert_eq!(svg.matches("<rect class=\"holdfast\"").count(), 3);
        assert_eq!(svg.matches("<rect class=\"keepalived\"").count(), 2);
        assert_eq!(svg.matches("<line class=\"goal\"").count(), 2);
        assert!(svg.contains("Gap &amp; more") && svg.contains("A &lt; 1 s"));
        assert!(svg.contains("prefers-color-scheme: dark"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }

    #[test]
    fn an_empty_chart_can_be_drawn() {
        let svg = draw(&Chart { groups: Vec::new(), ..chart() });
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
