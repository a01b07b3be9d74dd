import type { DebianPackage, DebianPackages } from "./debian-packages.ts";
import { Layer } from "./layer.ts";
import { libraryFolder } from "./pins.ts";
import { controllerUser, proxyUser } from "./users.ts";

const LOADER = "ld-linux-x86-64.so.2";
/** All of the C library that any program of ours asks for. */
const C_LIBRARIES = [
	"libc.so.6",
	"libdl.so.2",
	"libm.so.6",
	"libpthread.so.0",
	"librt.so.1",
];

/** Where programs look for the certificates of public authorities. */
export const certificatesFile = "etc/ssl/certs/ca-certificates.crt";

/** What every image starts from: the C library, users, and the certificates of public authorities. */
export function baseLayer(debian: DebianPackages): Layer {
	const layer = new Layer("base", debian);
	const { tree } = layer;
	tree
		.addFolder("tmp", 0o1777)
		.addFolder("run")
		.addLink("bin", "usr/bin")
		.addLink("sbin", "usr/sbin")
		.addLink("lib", "usr/lib")
		.addLink("lib64", "usr/lib64")
		.addFolder("usr/bin")
		.addFolder("usr/sbin")
		.addLink(`usr/lib64/${LOADER}`, `/${libraryFolder}/${LOADER}`);
	for (const name of [LOADER, ...C_LIBRARIES]) layer.addLibrary(name);
	tree
		.addFile(certificatesFile, authorities(layer.madeFrom("ca-certificates")))
		.addFile("etc/passwd", passwd())
		.addFile("etc/group", group())
		.addFile("etc/nsswitch.conf", "hosts: files dns\n")
		.addFile("etc/os-release", OS_RELEASE);
	return layer.addNeededLibraries().addPackageRecords();
}

/** Scanners decide by this whose list of known weaknesses the libraries are held against. */
const OS_RELEASE = `PRETTY_NAME="Lateen, on libraries of Debian 12"
NAME="Debian GNU/Linux"
ID=debian
VERSION_ID="12"
VERSION_CODENAME=bookworm
`;

const USERS = [{ name: "root", id: 0 }, controllerUser, proxyUser];

function passwd(): string {
	return USERS.map(
		({ name, id }) => `${name}:x:${id}:${id}:${name}:/:/nonexistent\n`,
	).join("");
}

function group(): string {
	return USERS.map(({ name, id }) => `${name}:x:${id}:\n`).join("");
}

/** All of them in one file, as Debian's own update-ca-certificates writes it. */
function authorities({ files }: DebianPackage): string {
	return (
		[...files]
			// Elsewhere there are examples that are no certificates, at which OpenSSL would stop reading.
			.filter(([path]) => /^usr\/share\/ca-certificates\/.*\.crt$/.test(path))
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([, bytes]) => `${String(bytes).trimEnd()}\n`)
			.join("")
	);
}
