#[test]
fn every_call_of_the_contract_has_a_policy_and_nothing_else_has() {
    let named: Vec<&str> = directory::POLICY.iter().map(|(method, _)| *method).collect();
    assert_eq!(named, proto::methods("directory"));
}
