"""Users, roles and privileges: the sync methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Access:
    """Who may do what; each method is a row of control.table."""

    if TYPE_CHECKING:

        def _mvn_control(self, method: str, /, **arguments: Any) -> Any: ...
        def _mvn_set_token(self, token: str) -> None: ...

    def create_user(
        self,
        user_name: str,
        password: str,
        timeout: float | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Creates a user."""
        self._mvn_control(
            "create_user",
            user_name=user_name,
            password=password,
            timeout=timeout,
            description=description,
            **kwargs,
        )

    def drop_user(self, user_name: str, timeout: float | None = None, **kwargs: Any) -> None:
        """Removes a user."""
        self._mvn_control("drop_user", user_name=user_name, timeout=timeout, **kwargs)

    def update_user(
        self, user_name: str, description: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Changes the description of a user."""
        self._mvn_control(
            "update_user", user_name=user_name, description=description, timeout=timeout, **kwargs
        )

    def update_password(
        self,
        user_name: str,
        old_password: str,
        new_password: str,
        reset_connection: bool | None = False,
        timeout: float | None = None,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Changes a user's password; with `reset_connection` this client uses it from now on."""
        self._mvn_control(
            "update_password",
            user_name=user_name,
            old_password=old_password,
            new_password=new_password,
            reset_connection=reset_connection,
            timeout=timeout,
            description=description,
            **kwargs,
        )
        if reset_connection:
            self._mvn_set_token(f"{user_name}:{new_password}")

    def list_users(self, timeout: float | None = None, **kwargs: Any) -> list[str]:
        """Names of all users."""
        result: list[str] = self._mvn_control("list_users", timeout=timeout, **kwargs)
        return result

    def describe_user(
        self, user_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Name, roles and description of a user; {} if there is none."""
        result: dict[str, Any] = self._mvn_control(
            "describe_user", user_name=user_name, timeout=timeout, **kwargs
        )
        return result

    def grant_role(
        self, user_name: str, role_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Gives a role to a user."""
        self._mvn_control(
            "grant_role", user_name=user_name, role_name=role_name, timeout=timeout, **kwargs
        )

    def revoke_role(
        self, user_name: str, role_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Takes a role from a user."""
        self._mvn_control(
            "revoke_role", user_name=user_name, role_name=role_name, timeout=timeout, **kwargs
        )

    def create_role(
        self, role_name: str, timeout: float | None = None, description: str = "", **kwargs: Any
    ) -> None:
        """Creates a role."""
        self._mvn_control(
            "create_role", role_name=role_name, timeout=timeout, description=description, **kwargs
        )

    def alter_role(
        self, role_name: str, description: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Changes the description of a role."""
        self._mvn_control(
            "alter_role", role_name=role_name, description=description, timeout=timeout, **kwargs
        )

    def drop_role(
        self, role_name: str, force_drop: bool = False, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes a role; one that has privileges only with `force_drop`."""
        self._mvn_control(
            "drop_role", role_name=role_name, force_drop=force_drop, timeout=timeout, **kwargs
        )

    def describe_role(
        self, role_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Name, description and privileges of a role."""
        result: dict[str, Any] = self._mvn_control(
            "describe_role", role_name=role_name, timeout=timeout, **kwargs
        )
        return result

    def list_roles(self, timeout: float | None = None, **kwargs: Any) -> list[str]:
        """Names of all roles."""
        result: list[str] = self._mvn_control("list_roles", timeout=timeout, **kwargs)
        return result

    def grant_privilege(
        self,
        role_name: str,
        object_type: str,
        privilege: str,
        object_name: str,
        db_name: str | None = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Gives a role a privilege on an object. See grant_privilege_v2."""
        self._mvn_control(
            "grant_privilege",
            role_name=role_name,
            object_type=object_type,
            privilege=privilege,
            object_name=object_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def revoke_privilege(
        self,
        role_name: str,
        object_type: str,
        privilege: str,
        object_name: str,
        db_name: str | None = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a privilege on an object from a role. See revoke_privilege_v2."""
        self._mvn_control(
            "revoke_privilege",
            role_name=role_name,
            object_type=object_type,
            privilege=privilege,
            object_name=object_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def grant_privilege_v2(
        self,
        role_name: str,
        privilege: str,
        collection_name: str,
        db_name: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Gives a role a privilege, or a group of them, on a collection ("*": all)."""
        self._mvn_control(
            "grant_privilege_v2",
            role_name=role_name,
            privilege=privilege,
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def revoke_privilege_v2(
        self,
        role_name: str,
        privilege: str,
        collection_name: str,
        db_name: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes a privilege, or a group of them, on a collection ("*": all) from a role."""
        self._mvn_control(
            "revoke_privilege_v2",
            role_name=role_name,
            privilege=privilege,
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def create_privilege_group(
        self, group_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Creates an empty group of privileges."""
        self._mvn_control(
            "create_privilege_group", group_name=group_name, timeout=timeout, **kwargs
        )

    def drop_privilege_group(
        self, group_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes a group of privileges."""
        self._mvn_control("drop_privilege_group", group_name=group_name, timeout=timeout, **kwargs)

    def list_privilege_groups(
        self, timeout: float | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """Names and privileges of all groups."""
        result: list[dict[str, Any]] = self._mvn_control(
            "list_privilege_groups", timeout=timeout, **kwargs
        )
        return result

    def add_privileges_to_group(
        self, group_name: str, privileges: list[str], timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Adds privileges to a group."""
        self._mvn_control(
            "add_privileges_to_group",
            group_name=group_name,
            privileges=privileges,
            timeout=timeout,
            **kwargs,
        )

    def remove_privileges_from_group(
        self, group_name: str, privileges: list[str], timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes privileges from a group."""
        self._mvn_control(
            "remove_privileges_from_group",
            group_name=group_name,
            privileges=privileges,
            timeout=timeout,
            **kwargs,
        )
