//! The chart of `bench fanout`: cost per replica over fan-out, a panel per payload, a line per path.

use std::path::Path as File;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::cases::{FAN_OUTS, Path};
use crate::rows::Row;

const PANEL: (u32, u32) = (560, 420);
const FONT: &str = "sans-serif";

/// Draws rows into an SVG file; those that lost packets are left out.
///
/// # Errors
/// The file system's.
pub fn draw(file: &File, rows: &[Row]) -> Result<()> {
    let mut text = String::new();
    let mut payloads: Vec<u32> = rows.iter().map(|row| row.payload_bytes).collect();
    payloads.dedup();
    {
        let panels = u32::try_from(payloads.len())?;
        let size = (PANEL.0 * panels.max(1), PANEL.1);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        let drawn = area.fill(&WHITE).map_err(|error| anyhow!("{error}"));
        let panels = area.split_evenly((1, payloads.len().max(1)));
        drawn.and_then(|()| {
            payloads
                .iter()
                .zip(&panels)
                .try_for_each(|(&payload, area)| panel(area, payload, rows))
        })?;
        area.present().map_err(|error| anyhow!("{error}"))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn panel(area: &DrawingArea<SVGBackend<'_>, Shift>, payload: u32, rows: &[Row]) -> Result<()> {
    let points = |path: Path| -> Vec<(f64, f64)> {
        rows.iter()
            .filter(|row| (row.path, row.payload_bytes, row.lost) == (path, payload, 0))
            .map(|row| (f64::from(row.fan_out), row.ns_per_replica.max(1.0)))
            .collect()
    };
    let all = Path::ALL.map(points);
    let costs = || all.iter().flatten().map(|point| point.1);
    let (low, high) = (
        costs().fold(f64::MAX, f64::min),
        costs().fold(1.0, f64::max),
    );
    let fan_outs = f64::from(FAN_OUTS[0])..f64::from(FAN_OUTS[FAN_OUTS.len() - 1]);
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw the chart: {error}");
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{payload} bytes"), (FONT, 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(
            fan_outs.log_scale().base(2.0),
            (low.min(high) / 1.5..high * 3.0).log_scale(),
        )
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc("fan-out")
        .y_desc("nanoseconds per replica")
        .x_labels(FAN_OUTS.len())
        .x_label_formatter(&|fan_out| format!("{fan_out:.0}"))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(|error| failed(&error))?;
    for (path, points) in Path::ALL.into_iter().zip(all) {
        let color = color(path);
        let style = color.stroke_width(if path.is_ours() { 3 } else { 1 });
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))
            .map_err(|error| failed(&error))?
            .label(path.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        chart
            .draw_series(
                points
                    .into_iter()
                    .map(|point| Circle::new(point, 3, color.filled())),
            )
            .map_err(|error| failed(&error))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(TRANSPARENT)
        .label_font((FONT, 13))
        .draw()
        .map_err(|error| failed(&error))
}

/// One colour for XDP, one for sockets; the floors are drawn thinner.
const fn color(path: Path) -> RGBColor {
    match path {
        Path::Kernel => RGBColor(0, 90, 160),
        Path::FloorBroadcast => RGBColor(90, 160, 210),
        Path::Socket => RGBColor(180, 60, 20),
        Path::FloorSendmmsg => RGBColor(225, 140, 100),
    }
}
