from pgf_cli.bench.framework.figures import FIXED, looks


def test_a_contestant_looks_the_same_in_every_figure_and_no_two_look_alike():
    names = [f"contestant {index}" for index in range(20)]
    found = looks([*names, "autograd", "tangent"])
    assert found["autograd"] == FIXED["autograd"] == looks(["autograd"])["autograd"]
    assert len(set(found.values())) == 22
    assert len({look.color for look in looks(["tangent", "adjoint", *names[:5]]).values()}) == 7
