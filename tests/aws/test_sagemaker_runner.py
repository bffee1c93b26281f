"""Training jobs of SageMaker as a kind of place: started once, looked at, stopped, and every way in which they end."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.following import LogFollower
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, Resources, State, Workload
from tests.aws.local_aws import LocalAws, until

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
words, seconds, code = sys.argv[1:4]
print(words, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
time.sleep(float(seconds))
run = json.loads(Path(os.environ["RUN_FILE"]).read_text()) if "RUN_FILE" in os.environ else None
told = {"run": run, "key": os.environ.get("AWS_ACCESS_KEY_ID"), "said": words, "env": os.environ.get("COLOUR")}
Path(os.environ["RESULT_FILE"]).write_text(json.dumps(told))
print("the last sentence", file=sys.stderr)
sys.exit(int(code))
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that a job brings along."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("")
    (tmp_path / "tasks" / "speak.py").write_text(PROGRAM)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__PROGRAMS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def runner(aws: LocalAws, place: dict[str, Any], source: Path) -> Any:
    return places.runner({**place, "source": True})


def job(name: str, *arguments: str, **fields: Any) -> Workload:
    return Workload(name=name, program="tasks.speak", arguments=arguments or ("hello", "0", "0"), **fields)


def ended(runner: Any, name: str) -> Any:
    return until(lambda: None if (status := runner.status(name)).state.active else status)


def staged(aws: LocalAws, name: str) -> list[str]:
    found = aws.s3.list_objects_v2(Bucket="staging", Prefix=f"jobs/{name}/").get("Contents", [])
    return [item["Key"] for item in found]


def test_a_program_of_ours_runs_with_its_record_and_keys_and_gives_its_result(runner, aws: LocalAws) -> None:
    told = job("r-one", secrets={"AWS_ACCESS_KEY_ID": "AKIDBUCKET"}, run={"run": {"run_key": "r"}, "step": "s"})
    assert runner.submit(told) == "r-one"
    assert ended(runner, "r-one").state is State.SUCCEEDED
    result = runner.result("r-one")
    assert result == {"run": told.run, "key": "AKIDBUCKET", "said": "hello", "env": None}
    lines = list(LogFollower(runner, "r-one").lines(last=True))
    assert lines == ["hello", "the last sentence"]
    tags = {tag["Key"]: tag["Value"] for tag in aws.tags[aws.jobs["r-one"]["TrainingJobArn"]]}
    assert tags == {"ontap-mlops/workload": "r-one"}


def test_describing_a_job_shows_no_secret_and_the_end_removes_them(runner, aws: LocalAws) -> None:
    runner.submit(job("r-secret", "hello", "0.5", "0", secrets={"AWS_SECRET_ACCESS_KEY": "hush-hush"}))
    described = aws.client("sagemaker", aws.url).describe_training_job(TrainingJobName="r-secret")
    staging = [aws.s3.get_object(Bucket="staging", Key=key)["Body"].read() for key in staged(aws, "r-secret")]
    assert "hush-hush" not in json.dumps(described, default=str)
    assert all(b"hush-hush" not in content for content in staging)
    assert parameters(aws) == ["/ontap-mlops/r-secret"]
    assert ended(runner, "r-secret").state is State.SUCCEEDED
    assert parameters(aws) == []


def test_the_same_name_is_joined_while_it_runs_and_when_it_has_ended_unless_it_is_to_be_fresh(runner, aws) -> None:
    runner.submit(job("r-twice", "first", "0.3", "0"))
    runner.submit(job("r-twice", "second", "0", "0"), fresh=True)
    ended(runner, "r-twice")
    runner.submit(job("r-twice", "third", "0", "0"))
    assert runner.result("r-twice")["said"] == "first"
    runner.submit(job("r-twice", "fourth", "0", "0"), fresh=True)
    ended(runner, "r-twice")
    assert runner.result("r-twice")["said"] == "fourth"
    assert list(LogFollower(runner, "r-twice").lines(last=True)) == ["fourth", "the last sentence"]
    assert aws.seen.count("POST CreateTrainingJob") == 2


def test_an_answer_that_is_lost_does_not_start_it_twice(runner, aws: LocalAws) -> None:
    original = aws.create_training_job

    def lost(asked: dict[str, Any]) -> Any:
        aws.create_training_job = original  # type: ignore[method-assign]
        original(asked)
        raise RuntimeError("the connection breaks")

    aws.create_training_job = lost  # type: ignore[method-assign]
    with pytest.raises(PlaceUnavailable):
        runner.submit(job("r-lost"))
    assert runner.submit(job("r-lost")) == "r-lost"
    assert ended(runner, "r-lost").state is State.SUCCEEDED, "what the job reads was left where it is"
    assert aws.seen.count("POST CreateTrainingJob") == 1


def test_a_job_of_that_name_that_is_not_ours_is_left_alone(runner, aws: LocalAws) -> None:
    runner.submit(job("r-theirs", "hello", "0", "0"))
    ended(runner, "r-theirs")
    aws.tags[aws.jobs["r-theirs"]["TrainingJobArn"]] = []
    with pytest.raises(PlaceRefused, match="was not made here"):
        runner.submit(job("r-theirs"), fresh=True)
    assert "r-theirs" in aws.jobs


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("hello", "0", "2"), 2, "the last sentence"),
        (("hello", "0", "1"), 1, "the last sentence"),
        (("hello", "0", "137"), 137, "the memory of ml.m5.xlarge"),
    ],
)
def test_a_failed_program_tells_its_code_and_last_sentence(runner, arguments, code: int, message: str) -> None:
    runner.submit(job(f"r-code-{code}", *arguments))
    status = ended(runner, f"r-code-{code}")
    assert (status.state, status.exit_code) == (State.FAILED, code)
    assert message in status.message
    assert status.message.count("exit code") == 0


def test_what_is_cancelled_has_stopped_when_the_call_returns_and_removing_leaves_nothing(runner, aws) -> None:
    runner.submit(job("r-stop", "hello", "30", "0", secrets={"K": "v"}))
    until(lambda: runner.status("r-stop").state is State.RUNNING)
    with pytest.raises(PlaceUnavailable, match="still runs"):
        runner.remove("r-stop")
    runner.cancel("r-stop")
    assert runner.status("r-stop").state is State.CANCELLED
    runner.cancel("r-stop")
    runner.remove("r-stop")
    assert runner.status("r-stop").state is State.MISSING
    runner.remove("r-stop")
    assert (staged(aws, "r-stop"), parameters(aws), aws.jobs) == ([], [], {})


def test_the_time_limit_is_said_as_such(runner) -> None:
    runner.submit(job("r-late", "hello", "30", "0", time_limit_s=1))
    status = ended(runner, "r-late")
    assert (status.state, status.out_of_time) == (State.FAILED, True)
    assert "time limit of 1 s" in status.message


def test_without_capacity_it_waits_and_says_so_and_when_given_up_it_had_no_room(runner, aws: LocalAws) -> None:
    aws.capacity["ml.m5.xlarge"] = None
    begun = time.time()
    runner.submit(job("r-wait"))
    status = until(lambda: (s := runner.status("r-wait")).message.startswith("Insufficient") and s)
    assert status.state is State.PENDING
    assert begun - 1 <= status.pending_since <= time.time() + 1
    aws.capacity["gives up"] = 1
    status = ended(runner, "r-wait")
    assert (status.state, status.no_room) == (State.FAILED, True)
    assert "CapacityError" in status.message


def test_a_quota_in_use_passes_and_one_too_small_does_not(runner, aws: LocalAws) -> None:
    aws.limits["ml.m5.xlarge"] = 1
    runner.submit(job("r-first", "hello", "5", "0"))
    with pytest.raises(PlaceUnavailable, match="current utilization of 1"):
        runner.submit(job("r-second", secrets={"K": "v"}))
    assert (staged(aws, "r-second"), parameters(aws)) == ([], [])
    aws.limits["ml.m5.xlarge"] = 0
    with pytest.raises(PlaceRefused, match="Ask for less"):
        runner.submit(job("r-second"))
    runner.cancel("r-first")


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (500, PlaceUnavailable, "Try again later"),
        (429, PlaceUnavailable, "ThrottlingException"),
        (403, PlaceRefused, "Renew the credentials"),
    ],
)
def test_trouble_of_the_service_is_a_sentence(runner, aws: LocalAws, status: int, error: type, words: str) -> None:
    aws.fault(status)
    with pytest.raises(error, match=words):
        runner.status("r-any")


def test_gpus_choose_the_instance(aws: LocalAws, place) -> None:
    kinds = {1: "ml.g4dn.xlarge", 4: "ml.g4dn.12xlarge"}
    runner = places.runner({**place, "gpu_instance_types": kinds})
    runner.submit(job("r-gpu", resources=Resources(gpus=1), processes=2))
    assert aws.jobs["r-gpu"]["ResourceConfig"]["InstanceType"] == "ml.g4dn.12xlarge"
    with pytest.raises(PlaceRefused, match="asks for 8 GPUs.*4: ml.g4dn.12xlarge"):
        runner.submit(job("r-gpus", resources=Resources(gpus=8)))
    with pytest.raises(PlaceRefused, match="0.5 of a GPU"):
        runner.submit(job("r-share", resources=Resources(gpus=0.5)))


def test_a_volume_comes_by_its_access_point_and_what_is_written_goes_back(runner, aws, place, source) -> None:
    (source / "tasks" / "copy.py").write_text(
        "import sys; from pathlib import Path; f = Path(sys.argv[1]); (f / 'run').mkdir()\n"
        "(f / 'run' / 'out').write_text((f / 'data' / 'in').read_text().upper())\n"
    )
    aws.s3.create_bucket(Bucket="alias", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.s3.put_object(Bucket="alias", Key="data/in", Body=b"words")
    shown = places.runner({**place, "source": True, "access_points": {"svm1:/ws": "s3://alias"}})
    mount = Mount(svm="svm1", junction_path="/ws")
    shown.submit(Workload(name="r-fsx", program="tasks.copy", arguments=("{ws}",), mounts={"ws": mount}))
    status = ended(shown, "r-fsx")
    assert status.state is State.SUCCEEDED, status
    assert aws.s3.get_object(Bucket="alias", Key="run/out")["Body"].read() == b"WORDS"
    with pytest.raises(PlaceRefused, match=r"mounts svm1:/other as \{ws\}, and a training job"):
        other = Mount(svm="svm1", junction_path="/other")
        shown.submit(Workload(name="r-other", program="tasks.copy", mounts={"ws": other}))
    assert "r-other" not in aws.jobs


def test_an_image_that_cannot_be_pulled_and_a_place_that_is_half_in_a_vpc_are_sentences(aws, place) -> None:
    runner = places.runner({**place, "image": "nowhere:1"})
    runner.submit(job("r-image"))
    status = ended(runner, "r-image")
    assert (status.state, status.message) == (
        State.FAILED,
        "ClientError: Cannot pull non-ECR image, or the image does not exist.",
    )
    with pytest.raises(ValueError, match="both subnets and security_group_ids"):
        places.place({**place, "subnets": ["subnet-1"]})


def parameters(aws: LocalAws) -> list[str]:
    return [each["Name"] for each in aws.client("ssm").describe_parameters()["Parameters"]]
