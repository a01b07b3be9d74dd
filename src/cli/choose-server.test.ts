import { expect } from "chai";
import type { SettingOrigin } from "../settings/read-settings.ts";
import { chooseServer } from "./choose-server.ts";

type Origins = Readonly<Record<string, SettingOrigin>>;

describe("chooseServer", () => {
	const usual: Origins = { stateDir: "default", lateenNamespace: "default" };
	const cases: readonly {
		readonly name: string;
		readonly origins: Origins;
		readonly isPlugin?: true;
		readonly want: string;
	}[] = [
		{
			name: "looks for a server first when nothing is said",
			origins: usual,
			want: "direct, else cluster",
		},
		{
			name: "asks the server of a flag",
			origins: { ...usual, server: "flag" },
			want: "direct",
		},
		{
			name: "asks the cluster of a flag",
			origins: { ...usual, context: "flag" },
			want: "cluster",
		},
		{
			name: "refuses flags for both",
			origins: { ...usual, stateDir: "flag", context: "flag" },
			want: "contradiction",
		},
		{
			name: "takes a flag for more than a variable",
			origins: { ...usual, server: "environment", kubeconfig: "flag" },
			want: "cluster",
		},
		{
			name: "asks the server of a variable",
			origins: { ...usual, stateDir: "environment" },
			want: "direct",
		},
		{
			name: "asks the cluster as a plugin, whatever a variable says",
			origins: { ...usual, server: "environment" },
			isPlugin: true,
			want: "cluster",
		},
		{
			name: "asks the server of a flag as a plugin, too",
			origins: { ...usual, server: "flag" },
			isPlugin: true,
			want: "direct",
		},
	];
	for (const { name, origins, isPlugin = false, want } of cases)
		it(name, () =>
			expect(
				chooseServer(new Map(Object.entries(origins)), isPlugin).is,
			).to.equal(want),
		);
});
