use ticket::POLICY;

#[test]
fn every_call_of_the_contract_has_an_entry_and_no_other() {
    let listed: Vec<&str> = POLICY.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, proto::methods("ticket"));
}
