"""What `/api/settings` says of an OctoPrint that nobody has set up (OctoPrint contract, 4). Pure.

Clients that read settings into types of their own need the keys that they know. What lies behind
most of them is the sender's here and not set by OctoPrint's names: they are shown, and not taken.
"""

from collections.abc import Mapping
from typing import Any

from api.octoprint.printer_document import BAUD_RATES

FEATURES = (
    *("temperatureGraph", "gcodeViewer", "keyboardControl", "pollWatched", "rememberFileFolder"),
    *("modelSizeDetection", "printStartConfirmation", "printCancelConfirmation"),
    *("uploadOverwriteConfirmation", "fileDeleteConfirmation", "enableDragDropUpload"),
    "g90InfluencesExtruder",
)
_ON = (
    *("abortHeatupOnCancel", "autoconnect", "capAutoreportPos", "capAutoreportSdStatus"),
    *("capAutoreportTemp", "capBusyProtocol", "capEmergencyParser", "capExtendedM20"),
    *("capLfnWrite", "disconnectOnErrors", "exclusive", "externalHeatupDetection"),
    *("firmwareDetection", "logPositionOnPause", "sanityCheckTools", "sendM112OnError"),
    *("swallowOkAfterResend", "triggerOkForM29", "waitToLoadSdFileList"),
)
_OFF = (
    *("alwaysSendChecksum", "blockWhileDwelling", "disableSdPrintingDetection"),
    *("enableShutdownActionCommand", "ignoreEmptyPorts", "ignoreErrorsFromFirmware"),
    *("ignoreIdenticalResends", "log", "logPositionOnCancel", "lowLatency", "neverSendChecksum"),
    *("repetierTargetTemp", "sdAlwaysAvailable", "sdLowerCase", "sdRelativePath"),
    *("sendChecksumWithUnknownCommands", "unknownCommandsNeedAck", "waitForStart"),
)
_TIMEOUTS_S = {
    "timeoutBaudrateDetectionPause": 1.0,
    "timeoutCommunication": 30.0,
    "timeoutCommunicationBusy": 3.0,
    "timeoutConnection": 10.0,
    "timeoutDetectionConsecutive": 2.0,
    "timeoutDetectionFirst": 10.0,
    "timeoutPosAutoreport": 5.0,
    "timeoutPositionLogWait": 10.0,
    "timeoutSdStatus": 1.0,
    "timeoutSdStatusAutoreport": 1.0,
    "timeoutTemperature": 5.0,
    "timeoutTemperatureAutoreport": 2.0,
    "timeoutTemperatureTargetSet": 2.0,
}


def defaults() -> dict[str, Any]:
    """The whole document, new each time."""
    return {
        "accessControl": {"autologinLocal": False, "autologinHeadsupAcknowledged": False},
        "api": {"key": None, "allowCrossOrigin": False},
        "appearance": {
            "name": "",
            "color": "default",
            "colorTransparent": False,
            "colorIcon": True,
            "defaultLanguage": "_default",
            "showFahrenheitAlso": False,
            "fuzzyTimes": True,
            "closeModalsWithClick": True,
            "showInternalFilename": True,
        },
        "controls": [],
        "devel": {"pluginTimings": False},
        "feature": {
            **dict.fromkeys(FEATURES, True),
            "sdSupport": False,
            "autoUppercaseBlacklist": ["M117", "M118"],
        },
        "folder": {"uploads": "", "timelapse": "", "watched": ""},
        "gcodeAnalysis": {"runAt": "always", "bedZ": 0.0},
        "plugins": {},
        "scripts": {"gcode": {}},
        "serial": _serial(),
        "server": {
            "allowFraming": False,
            "commands": dict.fromkeys(
                ("serverRestartCommand", "systemRestartCommand", "systemShutdownCommand")
            ),
            "diskspace": {"critical": 209_715_200, "warning": 524_288_000},
            "onlineCheck": {
                **{"enabled": False, "host": "", "interval": 15, "name": "", "port": 53},
            },
            "pluginBlacklist": {"enabled": False, "ttl": 15, "url": ""},
        },
        "slicing": {"defaultSlicer": None},
        "system": {"actions": [], "events": None},
        "temperature": {
            "profiles": [
                {"name": "ABS", "extruder": 210, "bed": 100, "chamber": None},
                {"name": "PLA", "extruder": 180, "bed": 60, "chamber": None},
            ],
            "cutoff": 30,
            "sendAutomatically": False,
            "sendAutomaticallyAfter": 1,
        },
        "terminalFilters": [],
        "webcam": _webcam(),
    }


def _serial() -> dict[str, Any]:
    return {
        **dict.fromkeys(_ON, True),
        **dict.fromkeys(_OFF, False),
        **_TIMEOUTS_S,
        "port": None,
        "baudrate": None,
        "portOptions": [],
        "baudrateOptions": [*BAUD_RATES],
        **{name: [] for name in ("additionalPorts", "additionalBaudrates", "ignoredCommands")},
        **{name: [] for name in ("blacklistedPorts", "blacklistedBaudrates", "blockedCommands")},
        "longRunningCommands": ["G4", "G28", "G29", "G30", "G32", "M400", "M226", "M600"],
        "checksumRequiringCommands": ["M110"],
        "emergencyCommands": ["M112", "M108", "M410"],
        "pausingCommands": ["M0", "M1", "M25"],
        "helloCommand": "M110 N0",
        "sdCancelCommand": "M25",
        "encoding": "ascii",
        "notifySuppressedCommands": "warn",
        "supportResendsWithoutOk": "detect",
        "useParityWorkaround": "detect",
        "ackMax": 1,
        "maxTimeoutsIdle": 2,
        "maxTimeoutsLong": 5,
        "maxTimeoutsPrinting": 5,
        "resendRatioStart": 100,
        "resendRatioThreshold": 10,
    }


def _webcam() -> dict[str, Any]:
    return {
        "webcamEnabled": True,
        "timelapseEnabled": False,
        "streamUrl": "",
        "snapshotUrl": "",
        "streamRatio": "16:9",
        "streamTimeout": 5,
        "streamWebrtcIceServers": [],
        "snapshotTimeout": 5,
        "snapshotSslValidation": True,
        "cacheBuster": False,
        "flipH": False,
        "flipV": False,
        "rotate90": False,
        "bitrate": "10000k",
        "ffmpegPath": None,
        "ffmpegCommandline": "",
        "ffmpegThreads": 1,
        "ffmpegVideoCodec": "libx264",
        "renderAfterPrintDelay": 0,
        "watermark": True,
        "defaultWebcam": None,
        "snapshotWebcam": None,
        "webcams": [],
    }


def webcams(webcam: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The list that newer clients read, made of what older ones do; empty without a camera."""
    if not webcam["streamUrl"]:
        return []
    stream = {
        "stream": webcam["streamUrl"],
        **{name: webcam[name] for name in ("streamTimeout", "streamRatio", "cacheBuster")},
        "streamWebrtcIceServers": webcam["streamWebrtcIceServers"],
    }
    snapshot = {
        "snapshot": webcam["snapshotUrl"],
        "snapshotTimeout": webcam["snapshotTimeout"],
        "snapshotSslValidation": webcam["snapshotSslValidation"],
    }
    return [
        {
            "name": "classic",
            "displayName": "Classic Webcam",
            "provider": "classicwebcam",
            "canSnapshot": bool(webcam["snapshotUrl"]),
            "snapshotDisplay": webcam["snapshotUrl"],
            **{name: webcam[name] for name in ("flipH", "flipV", "rotate90")},
            "extras": stream,
            "compat": {**stream, **snapshot},
        }
    ]
