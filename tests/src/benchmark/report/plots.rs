//! Which rows become which chart.

use super::scale::Scale;
use super::svg::{Chart, Group, draw};
use crate::benchmark::row::{Plot, Row};
use crate::benchmark::unit::Unit;

/// A picture with its file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::benchmark) struct Picture {
    /// Without a folder.
    pub(in crate::benchmark) file: &'static str,
    /// What it shows.
    pub(in crate::benchmark) title: &'static str,
    /// The SVG.
    pub(in crate::benchmark) svg: String,
}

const ALL: [(Plot, &str, &str, Scale); 5] = [
    (
        Plot::PlannedStop,
        "planned-stop.svg",
        "Probes lost in a planned stop (1 ms apart), by interval",
        Scale::Logarithmic,
    ),
    (Plot::Failover, "failover.svg", "Gap of a node crash, by interval", Scale::Logarithmic),
    (
        Plot::MassFailover,
        "mass-failover.svg",
        "Node crash: last VIP after the detection bound, by number of VIPs",
        Scale::Linear,
    ),
    (Plot::CpuMaster, "cpu-master.svg", "CPU of the master, adverts each 100 ms, by number of VIPs", Scale::Linear),
    (Plot::CpuBackup, "cpu-backup.svg", "CPU of the backup, adverts each 100 ms, by number of VIPs", Scale::Linear),
];

/// The pictures of these rows; none of what was not measured.
pub(in crate::benchmark) fn pictures(rows: &[Row]) -> Vec<Picture> {
    ALL.into_iter()
        .filter_map(|(plot, file, title, scale)| {
            let groups: Vec<(Unit, Group)> = rows.iter().filter_map(|row| group(row, plot)).collect();
            let (unit, _) = *groups.first().map(|(unit, group)| (*unit, group)).as_ref()?;
            let groups = groups.into_iter().map(|(_, group)| group).collect();
            Some(Picture { file, title, svg: draw(&Chart { title, scale, unit, groups }) })
        })
        .collect()
}

fn group(row: &Row, wanted: Plot) -> Option<(Unit, Group)> {
    let (plot, category) = row.plot.as_ref()?;
    let (keepalived, holdfast) = (row.keepalived.summary(), row.holdfast.summary());
    let is_measured = keepalived.is_some() || holdfast.is_some();
    let group = Group { name: category.clone(), keepalived, holdfast, goal: row.goal.limit() };
    (*plot == wanted && is_measured).then_some((row.unit, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::contender::Contender;
    use crate::benchmark::goal::Goal;

    #[test]
    fn only_what_was_measured_is_drawn() {
        let mut measured = Row::new("cpu", "250", Unit::Percent, Goal::REPORT).plotted(Plot::CpuMaster, "250");
        measured.add(Contender::Holdfast, 8.9);
        let missing = Row::new("crash", "1 s", Unit::Milliseconds, Goal::REPORT).plotted(Plot::Failover, "1 s");
        let pictures = pictures(&[measured, missing]);
        assert_eq!(pictures.iter().map(|picture| picture.file).collect::<Vec<_>>(), ["cpu-master.svg"]);
        assert!(pictures[0].svg.contains("8.90 %"));
    }
}
