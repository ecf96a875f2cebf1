//! How the measurements are shown: as a table for people, as JSON for programs.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};

use crate::budget::Budget;
use crate::measure::Object;

/// One row per program, one for the maps of each object; every figure with its limit.
pub fn table(objects: &[Object], budget: &Budget) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "object",
        "program",
        "instructions",
        "verified",
        "stack",
        "maps (KiB)",
    ]);
    for object in objects {
        let limits = budget.limits(&object.name);
        for (name, size) in &object.programs {
            let limit = limits.and_then(|limits| limits.programs.get(name));
            table.add_row([
                object.name.clone(),
                name.clone(),
                of(size.instructions, limit.map(|limit| limit.instructions)),
                of(size.verified, limit.map(|limit| limit.verified)),
                of(size.stack, limit.map(|limit| limit.stack)),
                String::new(),
            ]);
        }
        let maps = of(object.map_kib(), limits.map(|limits| limits.map_kib));
        let count = format!("({} maps)", object.maps.len());
        table.add_row([
            object.name.clone(),
            count,
            String::new(),
            String::new(),
            String::new(),
            maps,
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// `{"objects": [...], "over": [...]}`.
pub fn json(objects: &[Object], over: &[String]) -> Result<String> {
    Ok(serde_json::to_string_pretty(
        &serde_json::json!({ "objects": objects, "over": over }),
    )?)
}

fn of(measured: u64, limit: Option<u64>) -> String {
    limit.map_or_else(
        || format!("{measured} / -"),
        |limit| format!("{measured} / {limit}"),
    )
}
