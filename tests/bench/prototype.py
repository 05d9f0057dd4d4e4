"""The prototype's stack, rebuilt from its description: Flask under uwsgi, the upstream's answer kept
in Redis by requests-cache, hosts and snapshots through SQLAlchemy in PostgreSQL. What it must do for
a request is what it is for: the pages whose concurrents rose between the last two snapshots."""

import os

import redis
import requests_cache
from flask import Flask, jsonify, request
from sqlalchemy import JSON, Column, DateTime, Integer, String, create_engine, func
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker

Base = declarative_base()


class Host(Base):
    __tablename__ = "hosts"
    id = Column(Integer, primary_key=True)
    host = Column(String, index=True)
    apikey = Column(String)


class Snapshot(Base):
    __tablename__ = "snapshots"
    id = Column(Integer, primary_key=True)
    host_id = Column(Integer, index=True)
    taken_at = Column(DateTime, server_default=func.now())
    pages = Column(JSON)


engine = create_engine(os.environ["PROTOTYPE_DATABASE"], pool_size=4)
Session = scoped_session(sessionmaker(bind=engine))
upstream = requests_cache.CachedSession(
    backend=requests_cache.RedisCache(
        connection=redis.Redis(unix_socket_path=os.environ["PROTOTYPE_REDIS"])
    ),
    expire_after=3,
)
app = Flask(__name__)
app.config["JSON_SORT_KEYS"] = False


def known_host(host: str, apikey: str) -> Host:
    row = Session.query(Host).filter_by(host=host, apikey=apikey).first()
    if row is None:
        row = Host(host=host, apikey=apikey)
        Session.add(row)
        Session.commit()
    return row


def increase(before: list[dict], now: list[dict]) -> list[dict]:
    visitors = {page["path"]: page["visitors"] for page in before}
    rows = [
        {**page, "change": page["visitors"] - visitors[page["path"]]}
        for page in now
        if page["visitors"] > visitors.get(page["path"], page["visitors"])
    ]
    return sorted(rows, key=lambda row: (-row["change"], -row["visitors"], row["path"]))


@app.teardown_request
def release(_error: BaseException | None) -> None:
    Session.remove()


@app.get("/api/v1.0/increasingconcurrents")
def increasing_concurrents():
    host, apikey = request.args["host"], request.args["apikey"]
    row = known_host(host, apikey)
    answer = upstream.get(
        os.environ["PROTOTYPE_UPSTREAM"], params={"apikey": apikey, "host": host, "limit": 100}
    )
    answer.raise_for_status()
    pages = answer.json()
    if not answer.from_cache:
        Session.add(Snapshot(host_id=row.id, pages=pages))
        Session.commit()
    last = (
        Session.query(Snapshot).filter_by(host_id=row.id).order_by(Snapshot.id.desc()).limit(2).all()
    )
    return jsonify(increase(last[1].pages, pages) if len(last) > 1 else [])


Base.metadata.create_all(engine)
engine.dispose()  # the processes that are forked from here connect for themselves
