import { baseLayer } from "./base-layer.ts";
import type { DebianPackages } from "./debian-packages.ts";
import type { Program } from "./ensure-program.ts";
import { Layer } from "./layer.ts";
import { partOfProgram } from "./program-part.ts";
import type { Recipe } from "./recipe.ts";
import { proxyUser } from "./users.ts";

/** Both kinds of iptables under all their names, for IPv4 and IPv6. */
const PROGRAMS =
	/^usr\/sbin\/(xtables-(nft|legacy)-multi|ip6?tables-(nft|legacy)(-restore|-save)?)$/;
/** What rules may ask for: not other families', nor what needs libraries of its own. */
const EXTENSIONS = /\/xtables\/lib(xt|ipt|ip6t)_(?!connlabel)\w+\.so$/;

/** What the scripts of the injector (`src/injector`) call besides iptables. */
const COMMANDS = ["sh", "cat", "ip", "sleep"];

/**
 * The image beside every application: Envoy, and that with which an init
 * container has the pod's traffic sent to it. The injector does that, and has
 * applications wait for their proxy, by small shell scripts, so there is a shell.
 */
export function proxyRecipe(debian: DebianPackages, envoy: Program): Recipe {
	const base = baseLayer(debian);
	const capture = new Layer("capture", debian, [base])
		.addFromDebian(
			"iptables",
			(path) => PROGRAMS.test(path) || EXTENSIONS.test(path),
		)
		.addFromDebian("busybox", (path) => path === "bin/busybox");
	// Debian decides on the first installation, in favour of nftables.
	for (const family of ["iptables", "ip6tables"]) {
		for (const action of ["", "-restore", "-save"]) {
			capture.tree.addLink(`usr/sbin/${family}${action}`, "xtables-nft-multi");
		}
	}
	for (const name of COMMANDS) {
		capture.tree.addLink(`usr/bin/${name}`, "busybox");
	}
	capture.addNeededLibraries().addPackageRecords();
	const proxy = new Layer("envoy", debian, [base, capture])
		.addProgram("usr/bin/envoy", envoy.bytes)
		.addNeededLibraries();
	proxy.tree.addFile("usr/share/doc/envoy/copyright", envoy.licenceText);
	return {
		name: "lateen-proxy",
		title: "Lateen proxy",
		description: "Envoy beside an application of the Lateen service mesh",
		layers: [base, capture, proxy],
		parts: [partOfProgram(envoy.pin)],
		user: proxyUser,
		entrypoint: ["/usr/bin/envoy"],
		environment: { PATH: "/usr/bin:/usr/sbin" },
	};
}
