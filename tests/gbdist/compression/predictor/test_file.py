"""Files of predictors: equal to CatBoost, within their bounds, small, and refused where they are not what was written."""

import json
import zipfile
from pathlib import Path

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostRegressor
from gbdist.compression.predictor import load_predictor, save_predictor
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import to_catboost

LEAVES = ["fp16", "int8", 256, 7]
QUIET = {"verbose": False, "allow_writing_files": False, "thread_count": 1, "random_seed": 0}


def raw_of(model, features: np.ndarray) -> np.ndarray:
    return model.predict(features, prediction_type="RawFormulaVal")


def many_rows(n_features: int = 6) -> np.ndarray:
    """float32 [100 000, n_features]: normal, some missing, some infinite."""
    generator = np.random.default_rng(9)
    values = generator.normal(size=(100_000, n_features)).astype(np.float32)
    draws = generator.random(values.shape)
    values[draws < 0.05] = np.nan
    values[draws > 0.99] = np.inf
    return values


def labelled(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(800, 6))
    x[generator.random(x.shape) < 0.1] = np.nan
    return x, np.nansum(x[:, :3], axis=1) + np.nan_to_num(x[:, 3]) ** 2


@pytest.mark.parametrize("dimension", [1, 3])
@pytest.mark.parametrize("n_rows", [1, 7, 900, 5000])
def test_raw_values_are_catboosts_bit_for_bit(make_ensemble, raw_features, tmp_path: Path, dimension, n_rows) -> None:
    classes = None if dimension == 1 else ("a", "b", "c")
    model = to_catboost(make_ensemble([6, 0, 3, 9, 1] * 8, dimension, classes))
    predictor = save_predictor(model, tmp_path / "model.pyz")
    rows = np.resize(raw_features, (n_rows, 6))
    np.testing.assert_array_equal(predictor.predict_raw(rows), raw_of(model, rows))
    assert predictor.error_bound == 0.0


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_other_trees_are_catboosts_bit_for_bit(tmp_path: Path, policy: str, nan_mode: str) -> None:
    x, y = labelled()
    model = catboost.CatBoostRegressor(iterations=30, grow_policy=policy, nan_mode=nan_mode, **QUIET).fit(x, y)
    predictor = save_predictor(model, tmp_path / "model.pyz")
    for rows in (x[:1], x[:50], np.tile(x, (30, 1))):
        np.testing.assert_array_equal(predictor.predict_raw(rows), raw_of(model, rows))


def test_many_borders_of_a_column(tmp_path: Path) -> None:
    x, y = np.arange(3000.0)[:, None], np.random.default_rng(0).normal(size=3000)
    model = catboost.CatBoostRegressor(iterations=150, border_count=2000, depth=6, **QUIET).fit(x, y)
    assert len(model.get_borders()[0]) > 255
    predictor = save_predictor(model, tmp_path / "model.pyz")
    np.testing.assert_array_equal(predictor.predict_raw(x), raw_of(model, x))


@pytest.mark.parametrize("leaves", LEAVES)
def test_error_bound_holds_on_100_000_rows(make_ensemble, tmp_path: Path, leaves) -> None:
    ensemble = make_ensemble([6, 4, 3] * 10, 3, ("a", "b", "c"))
    model = to_catboost(ensemble)
    predictor = save_predictor(model, tmp_path / "model.pyz", leaves)
    rows = many_rows()
    off = np.abs(predictor.predict_raw(rows) - raw_of(model, rows)).max()
    assert 0.0 < off <= predictor.error_bound
    assert predictor.error_bound < 60 * off  # and it says something
    assert str(predictor.leaves) == (leaves if isinstance(leaves, str) else f"{leaves} levels")


@pytest.mark.parametrize("leaves", LEAVES)
def test_a_quantized_model_is_stored_as_it_is(make_ensemble, raw_features, tmp_path: Path, leaves) -> None:
    from gbdist.compression.passes.quantize import QuantizeLeaves

    how = {"to": leaves} if isinstance(leaves, str) else {"levels": leaves}
    model = to_catboost(QuantizeLeaves(**how).apply(make_ensemble([5, 6] * 5), None))
    predictor = save_predictor(model, tmp_path / "model.pyz", leaves)
    assert predictor.error_bound == 0.0
    np.testing.assert_array_equal(predictor.predict_raw(raw_features), raw_of(model, raw_features))


def test_fewer_bits_make_a_smaller_file(make_ensemble, tmp_path: Path) -> None:
    model = to_catboost(make_ensemble([6] * 100))
    model.save_model(str(tmp_path / "model.cbm"))
    sizes = [(tmp_path / "model.cbm").stat().st_size]
    for leaves in ("float64", "fp16", "int8", 16):
        save_predictor(model, tmp_path / "model.pyz", leaves)
        sizes.append((tmp_path / "model.pyz").stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < sizes[0] / 3


def test_equal_models_give_equal_files(make_ensemble, tmp_path: Path) -> None:
    for name in ("one", "other"):
        save_predictor(to_catboost(make_ensemble([3, 4])), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_numpy_itself_reads_the_arrays(make_ensemble, tmp_path: Path) -> None:
    save_predictor(to_catboost(make_ensemble([3, 4])), tmp_path / "model.pyz")
    with np.load(tmp_path / "model.pyz", allow_pickle=False) as arrays:
        assert arrays["depths"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        ("Logloss", lambda y: np.where(y > 0, "yes", "no")),
        ("CrossEntropy", lambda y: 1 / (1 + np.exp(-y))),
        ("MultiClass", lambda y: np.digitize(y, [0.0, 2.0])),
        ("MultiClassOneVsAll", lambda y: np.digitize(y, [0.0, 2.0])),
        ("MultiLogloss", lambda y: np.column_stack((y > 0, y > 1)).astype(int)),
    ],
)
def test_classes_and_probabilities_are_catboosts(tmp_path: Path, loss: str, label) -> None:
    x, y = labelled()
    model = catboost.CatBoostClassifier(iterations=10, loss_function=loss, **QUIET).fit(x, label(y))
    predictor = save_predictor(model, tmp_path / "model.pyz")
    np.testing.assert_allclose(predictor.predict_proba(x), model.predict_proba(x), rtol=0, atol=1e-14)
    found, expected = predictor.predict(x), np.asarray(model.predict(x))
    np.testing.assert_array_equal(found, expected if loss == "MultiLogloss" else expected.ravel())
    assert (predictor.classes is None) == (loss == "MultiLogloss")


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_threshold_of_the_second_class_is_the_models(tmp_path: Path, threshold: float) -> None:
    x, y = labelled()
    model = catboost.CatBoostClassifier(iterations=10, **QUIET).fit(x, (y > 0).astype(int))
    model.set_probability_threshold(threshold)
    predictor = save_predictor(model, tmp_path / "model.pyz")
    assert predictor.threshold == threshold
    np.testing.assert_array_equal(predictor.predict(x), model.predict(x))


@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "RMSEWithUncertainty", "MultiQuantile:alpha=0.2,0.8"])
def test_numbers_are_catboosts(tmp_path: Path, loss: str) -> None:
    x, y = labelled()
    model = catboost.CatBoostRegressor(iterations=10, loss_function=loss, **QUIET).fit(x, np.abs(y))
    predictor = save_predictor(model, tmp_path / "model.pyz")
    np.testing.assert_allclose(predictor.predict(x), model.predict(x), rtol=1e-14)
    assert predictor.loss == loss
    with pytest.raises(ValueError, match=f"the model \\(loss {loss}\\) has no probabilities"):
        predictor.predict_proba(x)


def test_categories_that_trees_test_are_refused(make_categorical, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        save_predictor(to_catboost(make_categorical().ensemble), tmp_path / "model.pyz")
    assert str(caught.value) == (
        "the model's trees test categories (columns ['city', 'colour', 'street', 'unused', 'flag']), and a predictor of NumPy "
        "alone holds none: it would need CatBoost's hashes of texts and the tables of their statistics. "
        "Use the model itself with CatBoost, or one that was trained on columns of numbers."
    )
    assert not (tmp_path / "model.pyz").exists()


@pytest.mark.parametrize("leaves", ["float32", True, None])
def test_other_leaves_are_refused(make_ensemble, tmp_path: Path, leaves) -> None:
    with pytest.raises(ParameterError) as caught:
        save_predictor(to_catboost(make_ensemble([2])), tmp_path / "model.pyz", leaves)
    assert str(caught.value) == (
        f'leaves={leaves!r} cannot be used: expected "float64", "fp16", "int8", or a whole number of levels. '
        'Use "float64" for the model\'s own values.'
    )


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_predictor(tmp_path / "none.pyz")
    expected = f"there is no file '{tmp_path}/none.pyz'. Pass the path of a file that save_predictor wrote."
    assert str(caught.value) == expected


def test_a_model_of_catboost_is_no_predictor(make_ensemble, tmp_path: Path) -> None:
    to_catboost(make_ensemble([2])).save_model(str(tmp_path / "model.cbm"))
    with pytest.raises(ModelError, match="cannot be read as a predictor"):
        load_predictor(tmp_path / "model.cbm")


def test_another_archive_is_no_predictor(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match=r"is no predictor: it has no header of one\. Pass a file that save_predictor"):
        load_predictor(tmp_path / "arrays.npz")


def rewritten(file: Path, **changes: bytes) -> None:
    """The archive with some members changed, its digest among them only if it is given."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (members | changes).items():
            archive.writestr(name, content)


@pytest.mark.parametrize("member", ["bias.npy", "gbdist_predictor/trees.py", "digest.txt"])
def test_a_changed_member_is_found(make_ensemble, tmp_path: Path, member: str) -> None:
    file = tmp_path / "model.pyz"
    save_predictor(to_catboost(make_ensemble([2])), file)
    with zipfile.ZipFile(file) as archive:
        content = bytearray(archive.read(member))
    content[-9] ^= 1
    rewritten(file, **{member: bytes(content)})
    with pytest.raises(ModelError) as caught:
        load_predictor(file)
    assert str(caught.value) == (f"'{file}' is damaged or changed: its digest is another one. Copy or save it again.")


def test_a_file_cut_short_is_found(make_ensemble, tmp_path: Path) -> None:
    file = tmp_path / "model.pyz"
    save_predictor(to_catboost(make_ensemble([2])), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"cannot be read as a predictor .*\. Copy or save it again\."):
        load_predictor(file)


def test_a_later_version_is_refused(make_ensemble, tmp_path: Path) -> None:
    from gbdist.compression.predictor.standalone.reading import digest_of

    file = tmp_path / "model.pyz"
    save_predictor(to_catboost(make_ensemble([2])), file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "digest.txt"}
    members["header.json"] = json.dumps(json.loads(members["header.json"]) | {"version": 2}).encode()
    rewritten(file, **members, **{"digest.txt": digest_of(members).encode()})
    with pytest.raises(ModelError, match="is of version 2, and this reader knows versions up to 1"):
        load_predictor(file)


def test_an_estimator_and_a_path_are_their_models(tmp_path: Path) -> None:
    features, label = labelled()
    estimator = DaskCatBoostRegressor(iterations=3, depth=2).fit(features, label)
    estimator.save_model(str(tmp_path / "m.cbm"))
    for number, model in enumerate((estimator, tmp_path / "m.cbm")):
        found = save_predictor(model, tmp_path / f"{number}.pyz").predict_raw(features)
        np.testing.assert_array_equal(found, raw_of(estimator.model_, features))
    with pytest.raises(ModelError, match="DaskCatBoostRegressor is not fitted: it has no trees"):
        save_predictor(DaskCatBoostRegressor(), tmp_path / "none.pyz")
