"""Suggestions, and mistakes found inside other errors."""

from garden.core.errors import UserError, did_you_mean, user_error_in


def test_suggestions_are_near_or_none():
    known = ['train_steps', 'eval_steps', 'name']
    assert did_you_mean('trian_steps', known).startswith(' Did you mean train_steps')
    assert did_you_mean('zzz', known) == ''


def test_the_root_of_a_chain_is_found():
    try:
        try:
            raise UserError('the root')
        except UserError as error:
            raise RuntimeError('wrapped') from error
    except RuntimeError as error:
        assert str(user_error_in(error)) == 'the root'
    assert user_error_in(ValueError('mine')) is None
    assert user_error_in(None) is None
