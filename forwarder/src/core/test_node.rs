//! A core on checked tables, and commands in short form, for the tests.

use super::{
    checked_tables::CheckedTables,
    endpoint::Mode,
    refusal::RefusalKind,
    settings::{Limits, Sizes},
    *,
};

pub const SECOND: u64 = 1_000_000_000;

pub fn settings(publications: u32, subscriptions: u32) -> Settings {
    let limits = Limits::new(publications, subscriptions, 8);
    Settings {
        limits,
        sizes: Sizes::of(&limits),
        lease: 30 * SECOND,
        dscp: 0,
        ttl: 64,
    }
}

pub fn placement(device: u32, mac: u8) -> Placement {
    Placement {
        device,
        local_mac: [2, 0, 0, 0, 0, 1],
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: Some([2, 0, 0, 0, 1, mac]),
        vlan: None,
        mtu: 1500,
        why: None,
        neighbour: None,
        interface: 1,
    }
}

pub fn endpoint(port: u16, mode: Mode) -> EndpointSpec {
    let remote = format!("10.0.0.2:{port}").parse().unwrap();
    EndpointSpec::new("10.0.0.1:5000".parse().unwrap(), remote, mode, None, None).unwrap()
}

pub struct Node {
    pub core: Core,
    pub tables: CheckedTables,
}

impl Node {
    pub fn new() -> Self {
        Self::with(settings(100, 1000))
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            core: Core::new(settings),
            tables: CheckedTables::default(),
        }
    }

    pub fn handle(&mut self, input: Input) -> Result<Output, Refusal> {
        self.core.handle(self.tables.now, input, &mut self.tables)
    }

    pub fn wait(&mut self, nanoseconds: u64) {
        self.tables.now += nanoseconds;
        self.core.handle_timeout(self.tables.now, &mut self.tables);
    }

    pub fn endpoint(&mut self, port: u16) -> EndpointId {
        match self.handle(Input::CreateEndpoint(
            endpoint(port, Mode::Clear),
            placement(0, port as u8),
        )) {
            Ok(Output::Endpoint(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub fn publication(&mut self, endpoint: EndpointId, ssrcs: &[u32]) -> PublicationId {
        let spec = PublicationSpec::new(endpoint, ssrcs.to_vec(), 96, 90_000).unwrap();
        match self.handle(Input::CreatePublication(spec)) {
            Ok(Output::Publication(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    pub fn subscribe(&mut self, spec: SubscriptionSpec) -> Result<SubscriptionId, Refusal> {
        self.handle(Input::CreateSubscription(spec))
            .map(|output| match output {
                Output::Subscription(id) => id,
                other => panic!("{other:?}"),
            })
    }
}

pub fn subscription(publication: PublicationId, endpoint: EndpointId) -> SubscriptionSpec {
    SubscriptionSpec {
        publication,
        endpoint,
        ssrcs: None,
        payload_type: None,
        sequence_offset: None,
        timestamp_offset: None,
        paused: false,
    }
}

pub fn refused<T: std::fmt::Debug>(
    outcome: Result<T, Refusal>,
) -> (RefusalKind, &'static str, String) {
    let refusal = outcome.unwrap_err();
    (refusal.kind, refusal.field, refusal.value)
}
