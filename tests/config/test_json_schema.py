def test_the_schema_beside_the_example_is_the_current_one() -> None:
    beside = Path(__file__).parents[2] / "config" / "hybrid.schema.json"
    assert json.loads(beside.read_text(encoding="utf-8")) == json_schema()
