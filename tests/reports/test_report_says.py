"""What a report says in words, from manifests of real runs with one thing changed."""

from report_pages import page

FAILED = {"name": "a check", "detail": "this and that", "error": 0.25, "threshold": 1e-6, "passed": False}


def test_ignored_tensors_are_named_and_shortened_after_five(tampered):
    def ignore(count):
        return lambda manifest: manifest["model"].update(ignored=[f"t{at}.weight" for at in range(count)])

    assert "ignored tensors" not in page(tampered(ignore(0)), 200)
    said = page(tampered(ignore(5)), 200)
    assert "t0.weight, t1.weight, t2.weight, t3.weight, t4.weight (in the checkpoint's files, no part of the" in said
    assert "t4.weight and 2 more, named in the manifest (in" in page(tampered(ignore(7)), 200)


def test_a_passed_certificate_is_a_line_and_its_checks_are_for_verbose(finished, report):
    short = report(finished / "both").stdout
    assert "certificate of exactness: passed (" in short
    assert "the run's two signed totals, by the tangent and by the adjoint, differ by" in short
    assert "threshold" not in short
    long = report(finished / "both", "-v").stdout
    for said in ("adjoint identity", "central finite differences", "threshold", "<w, J v> and <J^T w, v>"):
        assert said in long
    assert long.count("  pass  ") >= 4
    assert "exit code" not in long


def test_what_the_certificate_says_in_words_is_said(tampered):
    def change(manifest):
        manifest["certificate"] |= {
            "precision": "float32 holds about 5 digits for this model", "deep_probe": "256 bases from chr1:9,000 on",
        }  # fmt: skip

    said = page(tampered(change), 200)
    assert "\n  float32 holds about 5 digits for this model\n" in said
    assert "from chr1:1 on, and deep inside on 256 bases from chr1:9,000 on\n" in said


def test_a_failed_certificate_shows_every_check_and_says_what_the_exit_code_means(tampered):
    def change(manifest):
        manifest["certificate"]["passed"] = False
        manifest["certificate"]["checks"] = [*manifest["certificate"]["checks"][:4], FAILED]

    said = page(tampered(change), 200)
    assert "certificate of exactness: FAILED (1 of 5 checks failed)" in said
    assert said.count("\n  pass  ") == 4
    assert [line.split() for line in said.splitlines() if line.startswith("  FAIL")] == [
        ["FAIL", "a", "check", "2.5e-01", "1.0e-06", "this", "and", "that"]
    ]
    assert "exit code 3: its files are complete, but do not rely on tracks of this model in float32" in said


def test_a_contribution_that_is_0_throughout_says_why(finished):
    said = page(finished / "behind.run.json", 200)
    assert "contribution: 0 at every base: the target (chr1:10-50) lies outside what is written" in said
    assert "strongest" not in said


def test_other_tracks_that_are_0_throughout_say_why(tampered):
    def change(manifest):
        for track in manifest["records"][0]["tracks"].values():
            track["strongest"] = 0.0

    said = page(tampered(change), 200)
    assert "response: 0 at every base: nothing that is written here responds to this direction" in said
    assert "ghost: 0 at every base: no effect is felt here from 400 bases away or more" in said
    assert "contribution: 0 at every base: the objective does not depend on what is written here" in said


def test_the_best_hits_may_lie_on_any_record(finished, tampered):
    def change(manifest):
        first = manifest["records"][0]
        manifest["records"] = [first] * 20 + manifest["records"][1:]

    best = "a_rather_long_scaffold_name_NW_0123456789.1:"
    said = page(tampered(change), 200)
    assert "and 1 more records" in said
    assert said.count(f"\n  {best}") == page(finished / "both.run.json", 200).count(f"\n  {best}") > 3
