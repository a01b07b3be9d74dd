import { baseLayer, certificatesFile } from "./base-layer.ts";
import type { Bundle } from "./bundle.ts";
import type { DebianPackages } from "./debian-packages.ts";
import type { Program } from "./ensure-program.ts";
import { Layer } from "./layer.ts";
import { partOfProgram } from "./program-part.ts";
import type { Recipe } from "./recipe.ts";
import { controllerUser } from "./users.ts";

/** There is no `env` to find Node.js, so the first line says where it is; it is to trust the authorities that the image has. */
const FIRST_LINE = "#!/usr/bin/node --use-openssl-ca";

/** The image that runs `lateen`: Node.js, the program, and nothing else to run. */
export function controllerRecipe(
	debian: DebianPackages,
	node: Program,
	bundle: Bundle,
): Recipe {
	const base = baseLayer(debian);
	const runtime = new Layer("node", debian, [base])
		.addProgram("usr/bin/node", node.bytes)
		.addNeededLibraries()
		.addPackageRecords();
	runtime.tree.addFile("usr/share/doc/node/copyright", node.licenceText);
	const own = new Layer("lateen", debian, [base, runtime]);
	own.tree
		.addFile(
			"usr/lib/lateen/lateen.js",
			bundle.program.replace(/^#!.*/, FIRST_LINE),
			0o755,
		)
		.addFile("usr/lib/lateen/package.json", '{"type":"module"}\n')
		.addLink("usr/bin/lateen", "../lib/lateen/lateen.js")
		.addFile("usr/share/doc/lateen/copyright", bundle.licenceText)
		// The state folder of whoever mounts nothing there.
		.addFolder("run/lateen", 0o700, controllerUser.id);
	return {
		name: "lateen",
		title: "Lateen",
		description: "Control plane of the Lateen service mesh",
		layers: [base, runtime, own],
		parts: [partOfProgram(node.pin), ...bundle.parts],
		user: controllerUser,
		entrypoint: ["/usr/bin/lateen"],
		environment: {
			PATH: "/usr/bin:/usr/sbin",
			SSL_CERT_FILE: `/${certificatesFile}`,
		},
	};
}
