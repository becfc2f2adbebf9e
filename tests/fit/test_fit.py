"""A fit is a record of arrays: it compares and hashes as the object that it is."""

from tests.post.makers import crossed_fit


def test_fits_and_designs_can_be_compared_and_kept_in_sets():
    one, other = crossed_fit(), crossed_fit()
    assert one == one
    assert one != other
    assert one.design != other.design
    assert one.design.groups != other.design.groups
    assert len({one, other, one}) == 2
    assert one.spec == other.spec
