"""SQLAlchemy 2: ORM, reflection, bulk inserts with RETURNING, savepoints, streaming, over psycopg 3 and psycopg 2."""

import sqlalchemy as sa
from common import check, expect, expect_person, main
from sqlalchemy import orm


class Base(orm.DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "sa_customer"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.Text, unique=True)
    tags: orm.Mapped[list[str]] = orm.mapped_column(sa.ARRAY(sa.Text))
    doc: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    orders: orm.Mapped[list["Order"]] = orm.relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "sa_order"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    customer_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("sa_customer.id"))
    total: orm.Mapped[float] = orm.mapped_column(sa.Numeric(10, 2))
    customer: orm.Mapped[Customer] = orm.relationship(back_populates="orders")


def everything(driver):
    engine = sa.create_engine(f"postgresql+{driver}://", pool_size=3)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all(Customer(name=f"c{n}", tags=["a", "b"], doc={"n": n}, orders=[Order(total=n), Order(total=2 * n)]) for n in range(300))
        session.commit()
        found = session.scalars(sa.select(Customer).where(Customer.name == "c7").options(orm.selectinload(Customer.orders))).one()
        expect((found.tags, found.doc, sorted(float(o.total) for o in found.orders)), (["a", "b"], {"n": 7}, [7.0, 14.0]))
        total = session.scalar(sa.select(sa.func.sum(Order.total)).join(Customer).where(Customer.tags.any("a")))
        expect(float(total), float(3 * sum(range(300))))
        with session.begin_nested() as savepoint:
            session.execute(sa.delete(Order))
            savepoint.rollback()
        expect(session.scalar(sa.select(sa.func.count()).select_from(Order)), 600)
        session.add(Customer(name="c1", tags=[], doc={}))
        try:
            session.commit()
            raise AssertionError("no error")
        except sa.exc.IntegrityError:
            session.rollback()
        expect(session.execute(sa.update(Order).where(Order.total > 100).values(total=0)).rowcount > 0, True)
        session.commit()
    inspector = sa.inspect(engine)
    expect("sa_order" in inspector.get_table_names(), True)
    expect([c["name"] for c in inspector.get_columns("sa_customer")], ["id", "name", "tags", "doc"])
    expect(inspector.get_foreign_keys("sa_order")[0]["referred_table"], "sa_customer")
    reflected = sa.MetaData()
    reflected.reflect(engine)
    expect(len(reflected.tables["sa_customer"].indexes) >= 0 and "sa_customer" in reflected.tables, True)
    with engine.connect() as conn:
        rows = conn.execution_options(yield_per=500).execute(sa.text("SELECT n FROM generate_series(1, 20000) n"))
        expect(sum(row.n for row in rows), 200010000)
    engine.dispose()


@check
def over_psycopg_3():
    everything("psycopg")


@check
def over_psycopg_2():
    everything("psycopg2")


@check
def masks_and_rules():
    engine = sa.create_engine("postgresql+psycopg://")
    people = sa.Table("people", sa.MetaData(), autoload_with=engine)
    with engine.connect() as conn:
        expect_person(*conn.execute(sa.select(people).where(people.c.id == 2)).one())
        try:
            conn.execute(sa.text("SELECT * FROM payroll"))
            raise AssertionError("no error")
        except sa.exc.ProgrammingError as error:
            expect(error.orig.sqlstate, "42501")
            conn.rollback()
        expect_person(*conn.execute(sa.select(people).where(people.c.id == 2)).one())
    engine.dispose()


main()
