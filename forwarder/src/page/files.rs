//! The files of the pages, as they were when the program was built.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};

/// A file.
pub struct File {
    /// What it is called in `/page/`.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
    /// What kind of thing that is.
    pub content_type: &'static str,
    /// The entity tag, quotes included: another one with every change of the text.
    pub tag: String,
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../page/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files! {
    "node.html" "room.html" "icon.svg"
    "base.css" "node.css" "room.css" "tiles.css"
    "address.js" "api.js" "backoff.js" "call.js" "chart.js" "device_fields.js" "devices.js"
    "event_parser.js" "events.js" "format.js" "generated.js" "grid.js" "lobby.js" "local_media.js"
    "msids.js" "negotiation.js" "node.js" "node_tables.js" "notices.js" "people.js"
    "picture_code.js" "rates.js" "reasons.js" "room.js" "series.js" "shortcuts.js" "statistics.js"
    "statistics_panel.js" "ticker.js" "tiles.js"
};

static ALL: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = FILES.iter();
    files
        .map(|(name, text)| File {
            name,
            text,
            content_type: content_type(name),
            tag: tag(text),
        })
        .collect()
});

/// The file of this name.
pub fn find(name: &str) -> Option<&'static File> {
    ALL.iter().find(|file| file.name == name)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn tag(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter().take(12);
    let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use forwarder_common::reason::Reason;

    use super::*;

    /// Without its line there an operator would see a bare name, and a flow as a drop.
    #[test]
    fn every_reason_is_explained_to_operators() {
        let text = find("reasons.js").unwrap().text;
        for reason in Reason::ALL {
            let line = format!("\n  {}: [", reason.label());
            assert!(text.contains(&line), "{}", reason.label());
        }
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        let there: BTreeSet<String> = entries
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            // It is for `node --test` alone.
            .filter(|name| name != "package.json")
            .collect();
        let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn every_file_has_a_type_and_a_tag_of_its_own() {
        let tags: BTreeSet<&str> = ALL.iter().map(|file| file.tag.as_str()).collect();
        assert_eq!(tags.len(), FILES.len());
        for file in ALL.iter() {
            assert_ne!(
                file.content_type, "application/octet-stream",
                "{}",
                file.name
            );
        }
    }

    /// A module that the document does not name is asked for only once the one that imports it is there: a round trip more for each
    /// step of the way.
    #[test]
    fn documents_name_all_modules_that_they_need() {
        for (document, main) in [("room.html", "room.js"), ("node.html", "node.js")] {
            let (mut needed, mut todo) = (BTreeSet::new(), vec![main]);
            while let Some(module) = todo.pop() {
                if needed.insert(module) {
                    todo.extend(named(find(module).unwrap().text, "from \"./"));
                }
            }
            needed.remove(main);
            let text = find(document).unwrap().text;
            assert!(text.contains(&format!("src=\"/page/{main}\"")));
            let told: BTreeSet<&str> = named(text, "modulepreload\" href=\"/page/").collect();
            assert_eq!(told, needed, "{document}");
        }
    }

    /// What follows this in a text, up to the quote.
    fn named<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap_or_default())
    }

    /// An import, a link or a source that names no file here is one that the browser does not get.
    #[test]
    fn what_files_refer_to_is_there() {
        for file in ALL.iter() {
            for start in ["from \"./", "new URL(\"./", "=\"/page/"] {
                for rest in file.text.split(start).skip(1) {
                    let name = rest.split(['"', '#']).next().unwrap_or_default();
                    assert!(find(name).is_some(), "{} refers to {name}", file.name);
                }
            }
        }
    }
}
