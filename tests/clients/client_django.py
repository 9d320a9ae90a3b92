"""Django's ORM: its own migrations, queries, transactions, bulk work, server-side cursors."""

import os

import django
from common import PERSON, check, expect, expect_person, main
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, ProgrammingError, connection, models, transaction  # noqa: E402


@check
def migrates():
    call_command("migrate", verbosity=0)
    call_command("migrate", verbosity=0)
    expect("auth_user" in connection.introspection.table_names(), True)


@check
def creates_and_queries():
    group = Group.objects.create(name="dba")
    for n in range(50):
        User.objects.create_user(f"user{n}", f"user{n}@example.com", "pw").groups.add(group)
    expect(User.objects.filter(groups__name="dba", username__startswith="user1").count(), 11)
    expect(User.objects.aggregate(models.Max("id"))["id__max"] >= 50, True)
    expect(User.objects.select_related().prefetch_related("groups").order_by("-username")[:3][0].groups.all()[0].name, "dba")
    expect(Permission.objects.filter(content_type__model="user").exists(), True)


@check
def bulk_work():
    Group.objects.bulk_create([Group(name=f"g{n}") for n in range(1000)], batch_size=250)
    expect(Group.objects.filter(name__regex=r"^g\d+$").update(name=models.functions.Concat(models.Value("x"), "name")), 1000)
    expect(sum(1 for _ in Group.objects.filter(name__startswith="xg").iterator(chunk_size=100)), 1000)
    expect(Group.objects.filter(name__startswith="xg").delete()[0], 1000)


@check
def transactions():
    try:
        with transaction.atomic():
            Group.objects.create(name="gone")
            raise ValueError
    except ValueError:
        pass
    with transaction.atomic():
        Group.objects.create(name="stays")
        try:
            with transaction.atomic():
                Group.objects.create(name="stays")
            raise AssertionError("no error")
        except IntegrityError:
            pass
        Group.objects.select_for_update().get(name="stays")
    expect(list(Group.objects.filter(name__in=["gone", "stays"]).values_list("name", flat=True)), ["stays"])


@check
def inspects():
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, "auth_group")]
        expect(columns, ["id", "name"])
        expect(len(connection.introspection.get_constraints(cursor, "auth_user")) > 0, True)


@check
def undoes_its_migrations():
    call_command("migrate", "sessions", "zero", verbosity=0)
    expect("django_session" in connection.introspection.table_names(), False)


@check
def masks_and_rules():
    with connection.cursor() as cursor:
        cursor.execute(PERSON + "%s", [2])
        expect_person(*cursor.fetchone())
        try:
            cursor.execute("SELECT * FROM payroll")
            raise AssertionError("no error")
        except ProgrammingError as error:
            expect(error.__cause__.sqlstate, "42501")
        cursor.execute(PERSON + "%s", [2])
        expect_person(*cursor.fetchone())


main()
