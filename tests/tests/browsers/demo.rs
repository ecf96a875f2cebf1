//! `demo --browser`: the address that it prints opens a room with people in it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use forwarder_tests::netns::RUN_NETNS;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Scenario;
use crate::page::wait_for_people;
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("a_room_for_a_browser", a_room_for_a_browser)];

/// How long the first run may take, which encodes what participants publish.
const READY: Duration = Duration::from_secs(60);

/// A demo that is killed if the scenario fails.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One press joins; both participants are seen and heard; Ctrl-C leaves nothing behind.
fn a_room_for_a_browser(stage: &mut Stage) {
    let mut command = stage.lab.fwd.command(env!("CARGO_BIN_EXE_demo"));
    command.args(["--browser", "--json", "--for", "2m"]);
    let mut demo = Demo(command.stdout(Stdio::piped()).spawn().unwrap());
    let ready = first_line(&mut demo.0);
    assert_eq!(ready["path"], "kernel", "{ready}");
    let people = ready["participants"].as_array().unwrap();
    assert_eq!(people.len(), 2);
    assert!(people.iter().all(|it| it["path"] == "sealed"), "{ready}");
    let numbers: Vec<u32> = people
        .iter()
        .map(|it| it["number"].as_u64().unwrap().try_into().unwrap())
        .collect();

    let browser = &stage.local;
    browser.visit(ready["url"].as_str()).unwrap();
    browser.click("#join").unwrap();
    wait_for_people(browser, &numbers);
    let heard = "document.querySelectorAll('audio[data-session]').length";
    assert_eq!(browser.evaluate::<usize>(heard).unwrap(), people.len());
    let names = "[...document.querySelectorAll('#tiles > li:not([data-own]) .name')].map(it => it.textContent).sort()";
    assert_eq!(
        browser.evaluate::<Vec<String>>(names).unwrap(),
        ["Ann", "Ben"]
    );
    browser.screenshot("demo-browser").unwrap();

    let pid = i32::try_from(demo.0.id()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    assert!(ended(&mut demo.0).success());
    let name = format!("fwl{pid}n0");
    let namespaces = std::fs::read_dir(RUN_NETNS).unwrap().flatten();
    let left = namespaces.filter(|it| it.file_name().to_string_lossy().starts_with(&name));
    assert_eq!(left.count(), 0, "{name}");
    let links = stage.lab.fwd.ask_ip(&["-brief", "link"]).unwrap();
    assert!(!links.contains(&name), "{links}");
}

fn first_line(child: &mut Child) -> Value {
    let (tell, told) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        // All of them: nobody is to write into a pipe that is closed.
        for line in output.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let line = told.recv_timeout(READY).expect("the demo says where");
    serde_json::from_str(&line).unwrap()
}

fn ended(child: &mut Child) -> std::process::ExitStatus {
    let end = Instant::now() + LONG;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < end, "the demo does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}
