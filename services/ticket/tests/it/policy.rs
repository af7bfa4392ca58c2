use ticket::POLICY;

/// The calls the contract names.
fn calls() -> Vec<String> {
    let contract = include_str!("../../../../proto/sitepass/ticket/v1/ticket.proto");
    let names =
        contract.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
    names.map(|name| format!("/sitepass.ticket.v1.TicketService/{name}")).collect()
}

#[test]
fn every_call_of_the_contract_has_an_entry_and_no_other() {
    let mut listed: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
    let mut calls = calls();
    listed.sort_unstable();
    calls.sort_unstable();
    assert_eq!(listed, calls);
    assert_eq!(listed.len(), 7);
}
