"""The probes and the metrics."""

from tests.conftest import Start
from tests.person import Person, assert_problem


def test_alive_answers_ok(anyone: Person) -> None:
    answer = anyone.get("/healthz")
    assert answer.status == 200
    assert answer.body == {"status": "ok"}
    assert "RateLimit" not in answer.headers


def test_ready_names_the_checks(anyone: Person) -> None:
    answer = anyone.get("/readyz")
    assert answer.status == 200
    assert answer.body == {"status": "ok", "checks": {"database": "ok"}}


def test_ready_tells_when_the_database_is_away(start: Start, away_url: str) -> None:
    anyone = Person(start(DATABASE_URL=away_url))
    answer = anyone.get("/readyz")
    assert_problem(answer, 503, "unavailable")
    assert answer.body["detail"] == "database is away"
    assert answer.body["checks"] == {"database": "failed"}
    assert anyone.get("/healthz").status == 200


def test_metrics_name_routes_by_template(anyone: Person) -> None:
    secret = "01890000-0000-7000-8000-000000000000"
    anyone.get(f"/api/v1/users/{secret}")
    anyone.get("/nowhere-to-be-found")
    metrics = anyone.get("/metrics").text
    counts = [line for line in metrics.splitlines() if "_seconds_count{" in line]
    assert any('route="/api/v1/users/{id}"' in line and 'status="401"' in line for line in counts)
    assert any('route="unmatched"' in line and 'status="404"' in line for line in counts)
    assert secret not in metrics
    assert "nowhere-to-be-found" not in metrics


def test_metrics_want_the_token(start: Start) -> None:
    guarded = start(METRICS_TOKEN="let-me-see-the-metrics")
    assert Person(guarded).get("/metrics").status == 401
    assert Person(guarded, token="let-me-see-the-metricz").get("/metrics").status == 401
    assert Person(guarded, token="let-me-see-the-metrics").get("/metrics").status == 200
    production = start(APP_ENV="production", SECRET_KEYS="x" * 32, MAIL_URL="file:mails")
    assert Person(production).get("/metrics").status == 404
