import { execFileSync } from "node:child_process";
import { expect } from "chai";
import fc from "fast-check";
import { TemporaryFolder } from "../../test/testkit/temporary-folder.ts";
import { FileTree } from "./file-tree.ts";
import { writeTar } from "./write-tar.ts";

const LONG = `usr/share/${"folder-of-some-length/".repeat(6)}copyright`;

describe("writeTar", () => {
	it("writes what tar itself reads, with owners, modes and no time", () => {
		const tree = new FileTree()
			.addFile("usr/bin/lateen", "program", 0o755)
			.addLink("bin", "usr/bin")
			.addFolder("tmp", 0o1777)
			.addFolder("run/lateen", 0o700, 65532)
			.addFile(LONG, "text");
		using folder = new TemporaryFolder();
		folder.write("a.tar", writeTar(tree));
		const list = execFileSync(
			"tar",
			["-tv", "--numeric-owner", "--full-time", "-f", folder.at("a.tar")],
			{ encoding: "utf8", env: { PATH: process.env["PATH"], TZ: "UTC" } },
		);
		const lines = list
			.trim()
			.split("\n")
			.map((line) => line.replaceAll(/ +/g, " "));
		expect(lines).include.members([
			"lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bin -> usr/bin",
			"drwxr-xr-x 0/0 0 1970-01-01 00:00:00 usr/",
			"-rwxr-xr-x 0/0 7 1970-01-01 00:00:00 usr/bin/lateen",
			"drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/",
			"drwx------ 65532/65532 0 1970-01-01 00:00:00 run/lateen/",
			`-rw-r--r-- 0/0 4 1970-01-01 00:00:00 ${LONG}`,
		]);
	});

	it("gives equal bytes in whatever order a tree was made", () => {
		const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), {
			minLength: 2,
		});
		fc.assert(
			fc.property(names, (files) => {
				const treeOf = (all: readonly string[]): FileTree =>
					all.reduce(
						(tree, name) => tree.addFile(`etc/${name}`, name),
						new FileTree(),
					);
				const forwards = writeTar(treeOf(files));
				const backwards = writeTar(treeOf(files.toReversed()));
				expect(forwards.equals(backwards)).equal(true);
			}),
		);
	});

	it("refuses a path that no header has room for", () => {
		const tree = new FileTree().addFile("a".repeat(101), "");
		expect(() => writeTar(tree)).throw(/too long/);
	});
});

describe("FileTree", () => {
	it("refuses a file that is there already", () => {
		const tree = new FileTree().addFile("etc/passwd", "");
		expect(() => tree.addFile("etc/passwd", "")).throw(/twice/);
		expect(() => tree.addLink("etc", "usr/etc")).throw(/twice/);
	});
});
